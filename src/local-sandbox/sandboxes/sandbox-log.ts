import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import type { Logger } from 'pino'

/** `SandboxLogEntry` of the control API. */
export interface LogEntry {
  /** RFC 3339. */
  timestamp: string
  level: 'debug' | 'info' | 'warn' | 'error'
  message: string
  fields: Record<string, string>
}

// Twice as many at most are in the file; a sandbox whose egress is refused all day must not fill the disk.
const maxEntries = 1000

/** What happened to one sandbox: told to the server's log, and kept in a file for clients. What can't be kept stops nothing. */
export class SandboxLog {
  #log: Logger
  #path: string
  #entries: LogEntry[] | undefined
  #lines = 0

  /** `path` needn't be there, and its folder only once something is logged. */
  constructor(log: Logger, path: string) {
    this.#log = log
    this.#path = path
  }

  info(message: string, fields: Record<string, unknown> = {}): void {
    this.#log.info(fields, message)
    this.#keep('info', message, fields)
  }

  warn(message: string, fields: Record<string, unknown> = {}): void {
    this.#log.warn(fields, message)
    this.#keep('warn', message, fields)
  }

  error(message: string, fields: Record<string, unknown> = {}): void {
    this.#log.error(fields, message)
    this.#keep('error', message, fields)
  }

  /** The last entries, oldest first. */
  entries(): LogEntry[] {
    return (this.#entries ??= this.#read()).slice(-maxEntries)
  }

  #keep(level: LogEntry['level'], message: string, fields: Record<string, unknown>): void {
    const texts = Object.entries(fields).map(([name, value]) => [name, String(value)])
    const timestamp = new Date().toISOString()
    const entry = { timestamp, level, message, fields: Object.fromEntries(texts) as Record<string, string> }
    try {
      const entries = [...this.entries(), entry].slice(-maxEntries)
      this.#entries = entries
      if (++this.#lines <= 2 * maxEntries) return appendFileSync(this.#path, toLine(entry), { mode: 0o600 })
      writeFileSync(this.#path, entries.map(toLine).join(''))
      this.#lines = entries.length
    } catch (error) {
      // Without a folder the sandbox never started.
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT') this.#log.error({ error: message }, "sandbox log can't be written")
    }
  }

  #read(): LogEntry[] {
    let text = ''
    try {
      text = readFileSync(this.#path, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    const entries = text.split('\n').flatMap(fromLine)
    this.#lines = entries.length
    return entries
  }
}

// The newline comes first, so that no line is lost with one that was torn before it.
const toLine = (entry: LogEntry) => `\n${JSON.stringify(entry)}`

// A line is torn where a server died in writing it, or the disk was full.
function fromLine(line: string): LogEntry[] {
  try {
    return [JSON.parse(line) as LogEntry]
  } catch {
    return []
  }
}
