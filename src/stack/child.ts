import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface ChildOptions {
  name: string
  /** A TypeScript program of ours, relative to src/. */
  program: string
  args: string[]
  env: NodeJS.ProcessEnv
  /** Receives its stderr. */
  logFile: string
  /** Ends it where it isn't ready yet. */
  signal: AbortSignal
}

/** A program of ours, run as a child. */
export interface Child {
  pid: number
  /** The line it printed when it was ready. */
  ready: string
  /** Resolves, never rejects, when it has ended. */
  ended: Promise<void>
  /** SIGTERM, and SIGKILL after 25 s. Resolves when it has ended. */
  stop(): Promise<void>
}

const STOP_GRACE_MS = 25_000
const SOURCE = new URL('../', import.meta.url)

/**
 * Starts a program of ours and waits for its first line on stdout, by which it says that it is ready. It runs in a process group of
 * its own, so that a terminal's Ctrl-C reaches it through us, and it ends with us: its IPC channel closes when we die.
 *
 * @throws Error with the end of its log where it ends before it is ready
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const log = openSync(options.logFile, 'a')
  const child = spawn(
    process.execPath,
    [
      '--import',
      import.meta.resolve('tsx'),
      fileURLToPath(new URL(options.program, SOURCE)),
      ...options.args,
    ],
    { env: options.env, stdio: ['ignore', 'pipe', log, 'ipc'], detached: true },
  )
  closeSync(log)
  const ended = once(child, 'exit').then(
    () => undefined,
    () => undefined,
  )
  const lines = createInterface({ input: child.stdout! })
  const abort = (): void => void child.kill('SIGTERM')
  options.signal.addEventListener('abort', abort)
  const first = await Promise.race([once(lines, 'line').then(([line]) => String(line)), ended])
  options.signal.removeEventListener('abort', abort)
  if (first === undefined) {
    options.signal.throwIfAborted()
    const log = readFileSync(options.logFile, 'utf8').slice(-3_000).trim()
    throw new Error(`${options.name} ended before it was ready:\n${log}`)
  }
  return { pid: child.pid!, ready: first, ended, stop: () => stop(child, ended) }
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS)
  await ended
  clearTimeout(force)
}
