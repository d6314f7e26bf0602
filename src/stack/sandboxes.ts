import { join } from 'node:path'
import { type Child, startChild } from './child.ts'
import { keepRunning } from './keep-running.ts'
import type { StateFolder } from './state.ts'

export interface SandboxesOptions {
  env: NodeJS.ProcessEnv
  state: StateFolder
  /** Ports of this machine that sandboxes may reach. */
  allowHostPorts: number[]
  onProgress: (line: string) => void
  signal: AbortSignal
}

/** A place for sandboxes. */
export interface Sandboxes {
  about: {
    /** In words: which one was taken. */
    how: string
    apiUrl: string | undefined
    isolation: string | undefined
    /** Of the local server: where it keeps sandboxes, and its process. */
    dataDir?: string
    pid?: number
  }
  /** What a worker needs to use it. */
  env: NodeJS.ProcessEnv
  /** Resolves, never rejects, when it can't be kept running. */
  givenUp: Promise<Error> | undefined
  stop(): Promise<void>
}

/** E2B where it is configured, as a cloud or by address; otherwise the local server. @throws StackError */
export async function startSandboxes(options: SandboxesOptions): Promise<Sandboxes> {
  const { E2B_API_KEY: key, E2B_API_URL: url, E2B_DOMAIN: domain } = options.env
  if (!key && !url && !domain) return startLocalServer(options)
  const apiUrl = url || (domain ? `https://api.${domain}` : undefined)
  const how = apiUrl ? `E2B at ${apiUrl} (from the environment)` : 'the E2B cloud (E2B_API_KEY is set)'
  return {
    about: { how, apiUrl, isolation: undefined },
    env: {},
    givenUp: undefined,
    stop: () => Promise.resolve(),
  }
}

async function startLocalServer(options: SandboxesOptions): Promise<Sandboxes> {
  const { env, state, allowHostPorts, onProgress, signal } = options
  const allowed = allowHostPorts
    .flatMap((port) => [`localhost:${port}`, `127.0.0.1:${port}`])
    .flatMap((at) => ['--allow-host-loopback', at])
  const server = await keepRunning<Child>({
    name: 'the local sandbox server',
    onProgress,
    signal,
    start: (signal, last) =>
      startChild({
        name: 'the local sandbox server',
        program: 'src/local-sandbox/main.ts',
        // Workers know it by its port: another one takes the same.
        args: [
          '--port',
          last ? portOf(last.ready) : '0',
          '--json',
          '--data-dir',
          state.sandboxes,
          ...allowed,
        ],
        env,
        logFile: join(state.logs, 'sandbox-server.log'),
        signal,
      }),
  })
  const { apiUrl, sandboxUrl, apiKey, isolation } = server.first.ready as Record<string, string>
  return {
    about: {
      how: `the local sandbox server (${isolation})`,
      apiUrl,
      isolation,
      dataDir: state.sandboxes,
      pid: server.first.pid,
    },
    env: { E2B_API_URL: apiUrl, E2B_SANDBOX_URL: sandboxUrl, E2B_API_KEY: apiKey },
    givenUp: server.givenUp,
    stop: () => server.stop(),
  }
}

const portOf = (ready: Record<string, unknown>): string => new URL(String(ready.apiUrl)).port
