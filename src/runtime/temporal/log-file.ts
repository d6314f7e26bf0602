import { closeSync, openSync, readSync, statSync, watch } from 'node:fs'

/** What one server prints to its log file: the part behind what was there before. */
export interface LogPart {
  read(): string
  /** Resolves when the part matches; by events of the file, and for ever pending where it never does. */
  until(pattern: RegExp, signal: AbortSignal): Promise<void>
}

/** The part of the file that is still to be written. The file must exist. */
export function logPartOf(file: string): LogPart {
  const begin = statSync(file).size
  const read = () => {
    const descriptor = openSync(file, 'r')
    try {
      const buffer = Buffer.alloc(Math.max(0, statSync(file).size - begin))
      return buffer.toString('utf8', 0, readSync(descriptor, buffer, 0, buffer.length, begin))
    } finally {
      closeSync(descriptor)
    }
  }
  const until = (pattern: RegExp, signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const watcher = watch(file, { signal }, check)
      function check() {
        if (!pattern.test(read())) return
        watcher.close()
        resolve()
      }
      check()
    })
  return { read, until }
}
