import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, closeSync, openSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { StackError } from './errors.ts'

export interface ChildOptions {
  name: string
  /** A TypeScript program of ours, relative to the project. */
  program: string
  args: string[]
  env: NodeJS.ProcessEnv
  /** Receives its stderr, and what it prints once it is ready. */
  logFile: string
  /** Ends it where it isn't ready yet. */
  signal: AbortSignal
}

/** A program of ours, run as a child. */
export interface Child {
  pid: number
  /** The object that it printed, as a line of JSON, when it was ready. */
  ready: Record<string, unknown>
  /** Resolves, never rejects, when it has ended. */
  ended: Promise<void>
  /** SIGTERM, and SIGKILL after 25 s. Resolves when it has ended. */
  stop(): Promise<void>
}

const STOP_GRACE_MS = 25_000
const RUN = fileURLToPath(new URL('../../bin/run.mjs', import.meta.url))

/**
 * Starts a program of ours and waits for its first line on stdout, by which it says that it is ready. It runs in a
 * process group of its own, so that a terminal's Ctrl-C reaches it through us. It ends with us: its IPC channel closes
 * when we die, and one that isn't ready by then can't say that it is (EPIPE).
 *
 * @throws StackError with its own words, or the end of its log, where it ends before it is ready; the signal's reason
 *   where that aborts first
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, logFile, signal } = options
  signal.throwIfAborted()
  const { child, ended } = launch(options)
  const abort = (): void => void child.kill('SIGTERM')
  signal.addEventListener('abort', abort)
  const lines = createInterface({ input: child.stdout! })
  const first = await Promise.race([
    once(lines, 'line').then(([line]) => String(line)),
    // Only then has all been read that it printed.
    Promise.all([ended, once(lines, 'close')]).then(() => undefined),
  ])
  signal.removeEventListener('abort', abort)
  if (signal.aborted) {
    await stop(child, ended)
    throw signal.reason
  }
  lines.on('line', (line) => appendFileSync(logFile, `${line}\n`))
  return {
    pid: child.pid!,
    ready: readyLine(first, name, logFile),
    ended,
    stop: () => stop(child, ended),
  }
}

function launch({ program, args, env, logFile }: ChildOptions): {
  child: ChildProcess
  ended: Promise<void>
} {
  const log = openSync(logFile, 'a')
  const child = spawn(process.execPath, [RUN, program, ...args], {
    env,
    stdio: ['ignore', 'pipe', log, 'ipc'],
    detached: true,
  })
  closeSync(log)
  const ended = once(child, 'exit').then(
    () => undefined,
    () => undefined,
  )
  return { child, ended }
}

function readyLine(line: string | undefined, name: string, logFile: string): Record<string, unknown> {
  if (line === undefined)
    throw new StackError(`${name} ended before it was ready:\n${endOf(logFile)}`, {
      remedy: `read the whole log: ${logFile}`,
    })
  const ready = JSON.parse(line) as Record<string, unknown>
  if (!ready.error) return ready
  const { message, remedy } = ready.error as { message: string; remedy: string }
  throw new StackError(`${name} can't be started: ${message}`, { remedy })
}

const endOf = (logFile: string): string => readFileSync(logFile, 'utf8').slice(-3_000).trim()

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS)
  await ended
  clearTimeout(force)
}
