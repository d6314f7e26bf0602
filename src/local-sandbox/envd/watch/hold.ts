import { closeSync, constants, fstatSync, openSync } from 'node:fs'

// Node doesn't name it: a descriptor of an entry itself, which opens and blocks nothing.
const O_PATH = 0x20_0000
// Descriptors are a process's to run out of.
const mostHolds = 2_000
let holds = 0

/**
 * Keeps an entry within reach for when its name has gone; to be released then, since what was deleted takes its room
 * until then. Undefined where there are too many, or the entry has gone.
 */
export function hold(path: string): number | undefined {
  if (holds >= mostHolds) return undefined
  try {
    const fd = openSync(path, O_PATH | constants.O_NOFOLLOW)
    holds++
    return fd
  } catch {
    return undefined
  }
}

export function release(fd: number | undefined): void {
  if (fd === undefined) return
  closeSync(fd)
  holds--
}

/** Links to an entry from wherever; 0 once it is deleted. */
export function linksTo(fd: number): bigint {
  return fstatSync(fd, { bigint: true }).nlink
}
