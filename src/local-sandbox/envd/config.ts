import { text } from 'node:stream/consumers'
import type { InterpreterPaths } from '../interpreter/inside.ts'

/**
 * What the server tells envd, as one JSON text on stdin. It comes by stdin and not by arguments, environment or a file,
 * so no variable of the sandbox is written anywhere, and an envd whose server died before telling it ends itself.
 */
export interface EnvdConfig {
  /** Unix socket to listen on. */
  socket: string
  /** Unix socket of the host-side egress proxy. */
  egressSocket: string
  /** Loopback port on which programs find the egress proxy; 0 picks a free one. */
  egressPort: number
  /** A folder of envd's own for short-lived files. */
  runDir: string
  /** Who commands run as that name nobody. */
  user: string
  home: string
  /** Whether envd is root, so that commands and files can be any user's. */
  root: boolean
  path: string
  /** Where commands run that name no folder; the home where undefined. */
  workdir?: string | undefined
  /** Folder with `ca.crt`, which signs for hosts whose requests get headers outside, and `roots.crt`, all to trust. */
  trust: string
  interpreter: InterpreterPaths
  /** Sandbox-wide variables: create's `envVars` and the `E2B_…` ones. */
  envs: Record<string, string>
}

/** Reads the whole of stdin. Throws where it isn't complete JSON: the server has gone. */
export async function readConfig(input: NodeJS.ReadableStream): Promise<EnvdConfig> {
  return JSON.parse(await text(input)) as EnvdConfig
}
