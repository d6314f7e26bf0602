import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 50
const WATCH_MS = 1_000

/** A process for good: a pid alone may be another's by now. */
export interface ProcessIdentity {
  pid: number
  /** When it started, in the system's own terms; compared, never read. */
  startedAt: string
}

/** The identity of a living process; undefined where there is none, or only its unread exit code. */
export function identify(pid: number): ProcessIdentity | undefined {
  const startedAt = process.platform === 'linux' ? startedAtByProc(pid) : startedAtByPs(pid)
  return startedAt === undefined ? undefined : { pid, startedAt }
}

/** Whether this very process still lives. */
export function isAlive({ pid, startedAt }: ProcessIdentity): boolean {
  return identify(pid)?.startedAt === startedAt
}

/**
 * SIGTERM, and SIGKILL after the grace; resolves when the process has ended. Polls: the end of a process that isn't our
 * child is no event in Node.
 *
 * @param graceMs in milliseconds
 */
export async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<void> {
  const forceAt = Date.now() + graceMs
  let signal: NodeJS.Signals | undefined = 'SIGTERM'
  while (isAlive(identity)) {
    if (signal) send(identity.pid, signal)
    signal = Date.now() > forceAt ? 'SIGKILL' : undefined
    await sleep(POLL_MS)
  }
}

/** Resolves when the process has ended; keeps nobody alive. Polls, too. */
export async function untilEnded(identity: ProcessIdentity): Promise<void> {
  while (isAlive(identity)) await sleep(WATCH_MS, undefined, { ref: false })
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function startedAtByProc(pid: number): string | undefined {
  try {
    // Behind the name in brackets, which may hold spaces: state is the 1st field, start time the 20th.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot}/${fields[19]}`
  } catch {
    return undefined
  }
}

function startedAtByPs(pid: number): string | undefined {
  return (
    spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).stdout?.trim() || undefined
  )
}
