import { StringDecoder } from 'node:string_decoder'

/** `BuildLogEntry` of the control API. */
export interface BuildLogEntry {
  timestamp: string
  level: 'info' | 'warn' | 'error'
  message: string
  step: string
}

// A step that prints without end must not fill the server's memory.
const maxEntries = 10_000

/** What a build tells of itself; kept in memory. */
export class BuildLog {
  readonly entries: BuildLogEntry[] = []
  #step = 'base'

  /** Later entries are of this step: `base`, its number from 1 on, or `finalize`. */
  enter(step: string): void {
    this.#step = step
  }

  get step(): string {
    return this.#step
  }

  add(level: BuildLogEntry['level'], message: string): void {
    if (this.entries.length > maxEntries) return
    const text = this.entries.length === maxEntries ? 'the log is full; the rest is left out' : message
    this.entries.push({ timestamp: new Date().toISOString(), level, message: text, step: this.#step })
  }

  /** Takes a command's output, and adds each whole line; `end` adds what is left. */
  lines(): { write: (stream: 'stdout' | 'stderr', data: Uint8Array) => void; end: () => void } {
    const open = { stdout: '', stderr: '' }
    const decoders = { stdout: new StringDecoder(), stderr: new StringDecoder() }
    return {
      write: (stream, data) => {
        const lines = (open[stream] + decoders[stream].write(Buffer.from(data))).split('\n')
        open[stream] = lines.pop()!
        for (const line of lines) this.add('info', `[${stream}]: ${line}`)
      },
      end: () => {
        for (const stream of ['stdout', 'stderr'] as const)
          if (open[stream] !== '') this.add('info', `[${stream}]: ${open[stream]}`)
      },
    }
  }
}
