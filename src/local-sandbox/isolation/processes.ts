import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** A process for certain: a pid alone may have been given to another since. */
export interface ProcessHandle {
  pid: number
  /** Clock ticks after boot, from `/proc/<pid>/stat`. */
  startTime: number
  /** Boot of the host that `startTime` counts from. */
  hostBootId: string
}

interface Stat {
  state: string
  parent: number
  startTime: number
}

/** The handle of a live process. Throws where there is none. */
export function handleOf(pid: number): ProcessHandle {
  const stat = readStat(pid)
  if (!stat) throw new Error(`process ${pid} has ended`)
  return { pid, startTime: stat.startTime, hostBootId: hostBootId() }
}

/** Whether the very process is still there; a zombie is not. */
export function isAlive(handle: ProcessHandle): boolean {
  const stat = readStat(handle.pid)
  return (
    stat?.startTime === handle.startTime && !/[ZX]/.test(stat.state) && handle.hostBootId === hostBootId()
  )
}

/** Resolves once the process has gone. Throws after `timeoutMs`. */
export async function untilGone(handle: ProcessHandle, timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  // There's no event for somebody else's child, and after a restart of the server every sandbox is that.
  while (isAlive(handle)) {
    if (Date.now() > deadline)
      throw new Error(`process ${handle.pid} is still there ${timeoutMs} ms after SIGKILL`)
    await delay(2)
  }
}

/** A live process as `/proc` shows it. */
export interface LiveProcess {
  pid: number
  parent: number
  /** The letter of `/proc/<pid>/stat`: T is stopped. */
  state: string
}

/** All live processes under `root`, itself first, parents before their children. */
export function descendants(root: number): LiveProcess[] {
  const children = new Map<number, LiveProcess[]>()
  const found: LiveProcess[] = []
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    const stat = Number.isInteger(pid) ? readStat(pid) : undefined
    if (!stat || /[ZX]/.test(stat.state)) continue
    const process = { pid, parent: stat.parent, state: stat.state }
    if (pid === root) found.push(process)
    else children.set(stat.parent, [...(children.get(stat.parent) ?? []), process])
  }
  for (const { pid } of found) found.push(...(children.get(pid) ?? []))
  return found
}

/**
 * Stops every process that `list` answers until a whole look finds none running. Throws after 10 s.
 * A process is stopped only once its parent is: a shell that waits for it would be told of the stop otherwise.
 */
export async function freeze(list: () => LiveProcess[]): Promise<void> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const running = list().filter(({ state }) => !/[Tt]/.test(state))
    if (running.length === 0) return
    if (Date.now() > deadline)
      throw new Error(`processes ${running.map(({ pid }) => pid).join(', ')} don't stop`)
    const pids = new Set(running.map(({ pid }) => pid))
    for (const { pid, parent } of running) if (!pids.has(parent)) signal(pid, 'SIGSTOP')
    await delay(0)
  }
}

/** Continues every process that `list` answers but those that had been stopped before the freeze. */
export function thaw(list: () => LiveProcess[], stoppedBefore: number[]): void {
  // Children first, for the reason they were stopped last.
  for (const { pid } of list().reverse()) if (!stoppedBefore.includes(pid)) signal(pid, 'SIGCONT')
}

/** Sends a signal; a process that has just gone is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Another value after each boot of the host. */
export function hostBootId(): string {
  bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return bootId
}
let bootId: string | undefined

function readStat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name is in brackets and may itself hold spaces and brackets.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0]!, parent: Number(fields[1]), startTime: Number(fields[19]) }
  } catch {
    return undefined
  }
}
