import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { type LogPart, logPartOf } from './log-file.ts'
import { freePort } from './ports.ts'
import { untilReachable } from './reachable.ts'
import { type DynamicConfig, tuningArguments } from './tuning.ts'
import { unlessAborted } from './unless-aborted.ts'

const READY_TIMEOUT_MS = 60_000
const STOP_GRACE_MS = 10_000
/** Between finding a port free and the server's taking it, another program may take it. */
const PORT_ATTEMPTS = 3

export interface DevServerOptions {
  /** Path of the `temporal` CLI. */
  cli: string
  env: NodeJS.ProcessEnv
  /** Receives what the server prints. A file, not a pipe: the server must outlive us. */
  logFile: string
  /** Where the data is kept; in memory if left out. */
  dbFile?: string
  /** Ports to take where they are free, first ones first; any free ones otherwise. */
  preferredPorts?: { port: number; uiPort: number }[]
  dynamicConfig?: DynamicConfig
  /** Without the web UI. */
  headless?: boolean
  /** Stays in our process group, so that a terminal's Ctrl-C ends it with us. */
  tied?: boolean
  /** Called as soon as the process exists, before it answers. */
  onSpawn?: (server: Spawned) => void
  /** Gives up the start where it is aborted, and ends the process. */
  signal?: AbortSignal | undefined
}

interface Spawned {
  pid: number
  port: number
  uiPort: number | undefined
}

export interface DevServer extends Spawned {
  address: string
  /** Resolves, never rejects, when the process has ended. */
  ended: Promise<unknown>
  /** SIGTERM, then SIGKILL after 10 s; resolves when the process has ended. */
  stop: () => Promise<void>
}

/**
 * Starts a tuned `temporal server start-dev` on loopback, in a process group of its own so that a terminal's Ctrl-C
 * leaves it to the worker's drain, and resolves when it answers.
 *
 * @throws Error with what the server printed where it ends or does not answer within 60 s, or the start is given up
 */
export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(options)
    } catch (error) {
      if (attempt === PORT_ATTEMPTS || !/address already in use/.test((error as Error).message)) throw error
    }
  }
}

async function startOnce(options: DevServerOptions): Promise<DevServer> {
  const preferred = options.preferredPorts ?? []
  const port = await freePort(...preferred.map((ports) => ports.port))
  const uiPort = options.headless ? undefined : await freePort(...preferred.map((ports) => ports.uiPort))
  options.signal?.throwIfAborted()
  const log = openSync(options.logFile, 'a')
  const printed = logPartOf(options.logFile)
  const child = spawn(options.cli, devServerArguments(options, port, uiPort), {
    detached: !options.tied,
    stdio: ['ignore', log, log],
    env: options.env,
  })
  closeSync(log)
  const ended = untilEnded(child)
  const spawned = { pid: child.pid ?? 0, port, uiPort }
  if (child.pid !== undefined) options.onSpawn?.(spawned)
  const address = `127.0.0.1:${port}`
  const giveUp = new AbortController()
  try {
    const ready = Promise.race([
      untilReady(address, printed, giveUp.signal),
      ended.then((how) => Promise.reject(new Error(`the Temporal dev server ${how} before it answered`))),
    ])
    await unlessAborted(ready, options.signal)
  } catch (error) {
    giveUp.abort()
    await stopChild(child, ended)
    throw new Error(`${(error as Error).message}\n${printed.read().slice(-2000).trim()}`, { cause: error })
  }
  child.unref()
  return { ...spawned, address, ended, stop: () => stopChild(child, ended) }
}

/** It answers, and says itself that it listens there: a server of somebody else's might answer instead. */
async function untilReady(address: string, printed: LogPart, signal: AbortSignal): Promise<void> {
  await untilReachable({ address }, 'default', READY_TIMEOUT_MS, signal)
  const port = address.split(':')[1]
  await printed.until(new RegExp(`Server:\\s+\\S*:${port}\\b`), signal)
}

function devServerArguments(options: DevServerOptions, port: number, uiPort: number | undefined): string[] {
  return [
    ...`server start-dev --namespace default --log-level error --ip 127.0.0.1 --port ${port}`.split(' '),
    ...(uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort)]),
    ...(options.dbFile === undefined ? [] : ['--db-filename', options.dbFile]),
    ...tuningArguments(options.dynamicConfig),
  ]
}

async function untilEnded(child: ChildProcess): Promise<string> {
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    return signal === null ? `ended with code ${code}` : `was ended by ${signal}`
  } catch (error) {
    return `could not be started (${(error as Error).message})`
  }
}

async function stopChild(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.ref()
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS)
  await ended
  clearTimeout(force)
}
