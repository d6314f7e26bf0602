import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Sandbox } from 'e2b'
import type { z } from 'zod'
import type { fault } from '../../src/local-sandbox/faults/fault.ts'

export interface SandboxServerOptions {
  /** Further arguments, for example `['--allow-host-loopback', '127.0.0.1:3000']`. */
  args?: string[]
  apiKey?: string
  /** Variables on top of this process's. */
  env?: Record<string, string>
  /** An open file that the server inherits, as from a careless shell. */
  inherit?: number
  /** The uid and gid that the server runs under; only root can say another than its own. */
  as?: number
}

export type FaultToArm = z.input<typeof fault>

/** The real local sandbox server in a process of its own, on a free port, with a data directory of its own. */
export interface SandboxServer {
  apiUrl: string
  sandboxUrl: string
  apiKey: string
  dataDir: string
  pid: number
  /** Connection options for the SDK. */
  connection: { apiUrl: string; sandboxUrl: string; apiKey: string }
  /** Makes things go wrong; only with `--faults` among the arguments. */
  faults: {
    arm(fault: FaultToArm): Promise<void>
    /** How often each fault has fired, in the order they were armed. */
    fired(): Promise<number[]>
    clear(): Promise<void>
  }
  /** What the server has logged so far. */
  log(): string
  /** Kills all sandboxes, ends the server, removes its data. */
  stop(): Promise<void>
  /** SIGKILL; sandboxes stay. */
  kill(): Promise<void>
  /** Starts a new server on the same data directory and port, after `kill`, or in place of the running one. */
  restart(): Promise<void>
}

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Starts a server. Throws with what it printed where it doesn't get ready. */
export async function startSandboxServer(options: SandboxServerOptions = {}): Promise<SandboxServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'holdfast-sandboxes-'))
  await chmod(dataDir, 0o711)
  const user = options.as === undefined ? {} : { uid: options.as, gid: options.as }
  if (options.as !== undefined) await chown(dataDir, options.as, options.as)
  let log = ''
  let child: ChildProcess

  // Node takes care of low ones by itself.
  const inherited =
    options.inherit === undefined ? [] : [...Array<'ignore'>(60).fill('ignore'), options.inherit]

  const launch = async (port: number) => {
    const args = ['src/local-sandbox/main.ts', '--port', String(port), '--data-dir', dataDir, '--json']
    child = spawn(process.execPath, ['bin/run.mjs', ...args, ...(options.args ?? [])], {
      ...user,
      cwd: root,
      env: { ...process.env, E2B_API_KEY: options.apiKey ?? '', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe', ...inherited],
    })
    child.stderr!.on('data', (text: Buffer) => (log += text.toString()))
    const lines = createInterface({ input: child.stdout! })
    const [line] = (await Promise.race([
      once(lines, 'line'),
      once(child, 'close').then(() => [undefined]),
    ])) as [string?]
    if (line === undefined) throw new Error(`the sandbox server didn't start: ${log}`)
    const { apiUrl, sandboxUrl, apiKey } = JSON.parse(line) as Record<
      'apiUrl' | 'sandboxUrl' | 'apiKey',
      string
    >
    Object.assign(server, {
      apiUrl,
      sandboxUrl,
      apiKey,
      pid: child.pid!,
      connection: { apiUrl, sandboxUrl, apiKey },
    })
  }
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill(signal)
    await exit
  }

  const server = {
    dataDir,
    log: () => log,
    faults: {
      arm: async (fault) => void (await callFaults(server, 'POST', fault)),
      fired: async () =>
        ((await (await callFaults(server, 'GET')).json()) as { fired: number }[]).map(({ fired }) => fired),
      clear: async () => void (await callFaults(server, 'DELETE')),
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) await server.restart()
      if (options.args?.includes('--faults')) await server.faults.clear()
      await killAll(server.connection)
      await end('SIGTERM')
      await rm(dataDir, { recursive: true, force: true })
    },
    kill: () => end('SIGKILL'),
    async restart() {
      await end('SIGTERM')
      await launch(Number(new URL(server.apiUrl).port))
    },
  } as SandboxServer
  try {
    await launch(0)
  } catch (error) {
    await rm(dataDir, { recursive: true, force: true })
    throw error
  }
  return server
}

async function callFaults({ apiUrl, apiKey }: SandboxServer, method: string, fault?: FaultToArm) {
  const headers = { 'x-api-key': apiKey, 'content-type': 'application/json' }
  const body = fault ? { body: JSON.stringify(fault) } : {}
  const answer = await fetch(`${apiUrl}/__faults`, { method, headers, ...body })
  if (!answer.ok) throw new Error(`${method} /__faults: ${answer.status} ${await answer.text()}`)
  return answer
}

async function killAll(connection: SandboxServer['connection']): Promise<void> {
  const pages = Sandbox.list(connection)
  const all = []
  while (pages.hasNext) all.push(...(await pages.nextItems()))
  await Promise.all(all.map(({ sandboxId }) => Sandbox.kill(sandboxId, connection)))
}
