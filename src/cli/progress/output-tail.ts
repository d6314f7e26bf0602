import type { CommandHeartbeat } from '../../contract/job.ts'
import { cleanLine, cleanLines } from './text.ts'

/** More lines than this of one heartbeat are left out, the oldest first. */
const MAX_LINES = 20

/** What was shown of a command: how many bytes it had printed, and the last of them. */
export interface Seen {
  bytes: number
  recent: string
}

/** Enough to know a place by; fewer would be found by chance. */
const KNOWN_BYTES = { least: 16, most: 200 }

/** What a heartbeat has that was not shown yet, and how many bytes before it are lost to the 4 KB window. */
export function newOutput(beat: CommandHeartbeat, seen: Seen): { text: string; missedBytes: number } {
  const fresh = beat.stdoutBytes + beat.stderrBytes - seen.bytes
  if (fresh <= 0) return { text: '', missedBytes: 0 }
  const recent = Buffer.from(beat.recent)
  const start = movedStart(recent, recent.length - fresh, seen) ?? recent.length - fresh
  return { text: recent.subarray(Math.max(0, start)).toString(), missedBytes: Math.max(0, -start) }
}

/** Bytes are counted before secrets are blotted out: where that moved the text, what was seen last shows the place. */
function movedStart(recent: Buffer, expected: number, seen: Seen): number | undefined {
  const known = Buffer.from(seen.recent).subarray(-KNOWN_BYTES.most)
  if (known.length < KNOWN_BYTES.least) return undefined
  if (expected >= known.length && recent.subarray(expected - known.length, expected).equals(known))
    return undefined
  const at = recent.lastIndexOf(known)
  return at < 0 ? undefined : at + known.length
}

/** The lines of a finished command's output that were not among those shown while it ran, whatever their order. */
export function unseenLines(output: string, shown: readonly string[]): string[] {
  const left = new Map<string, number>()
  for (const line of shown) left.set(line, (left.get(line) ?? 0) + 1)
  return cleanLines(output).filter((line) => {
    const count = left.get(line) ?? 0
    left.set(line, count - 1)
    return count <= 0
  })
}

/**
 * The output of the running step: hands out whole lines, each once. A line that isn't ended is handed out when nothing
 * more comes, for it may be the last one for long (and the worker holds its end back); when it goes on, again as a whole.
 */
export class OutputTail {
  #commandId: string | undefined
  #seen: Seen = { bytes: 0, recent: '' }
  #partial = ''
  /** The part of the last line that was handed out. */
  #shownPartial = ''
  readonly #shown: string[] = []

  /** The lines that this heartbeat adds. */
  push(beat: CommandHeartbeat): string[] {
    // A step is one command: the output of the next one may be heard of before the event that this one has ended.
    if (this.#commandId !== undefined && this.#commandId !== beat.commandId) return []
    const { text, missedBytes } = newOutput(beat, this.#seen)
    if (text === '') return this.#unended()
    this.#commandId = beat.commandId
    this.#seen = { bytes: beat.stdoutBytes + beat.stderrBytes, recent: beat.recent }
    const parts = ((missedBytes > 0 ? '' : this.#partial) + text).split('\n')
    this.#partial = parts.pop() ?? ''
    if (parts.length > 0) {
      if (parts[0] === this.#shownPartial && missedBytes === 0) parts.shift()
      this.#shownPartial = ''
    }
    const lines = parts.map(cleanLine)
    this.#shown.push(...lines)
    const notice = missedBytes > 0 ? [`… (${missedBytes} bytes more) …`] : []
    return [...notice, ...bounded(lines)]
  }

  #unended(): string[] {
    if (this.#partial === '' || this.#shownPartial !== '') return []
    this.#shownPartial = this.#partial
    const line = cleanLine(this.#partial)
    this.#shown.push(line)
    return [line]
  }

  /** The end of the step: what its recorded output has beyond the lines handed out, and an unfinished last line. */
  finish(output: string): string[] {
    if (this.#shown.length === 0) return bounded(cleanLines(output))
    // The record may begin in the middle of a line that was shown whole.
    const lines = unseenLines(output, this.#shown)
    const first = cleanLines(output)[0] ?? ''
    const cutFirst = lines[0] === first && this.#shown.some((line) => line !== first && line.endsWith(first))
    return bounded(cutFirst ? lines.slice(1) : lines)
  }
}

/** The last lines, with a line that says how many came before. */
export function bounded(lines: string[]): string[] {
  const more = lines.length - MAX_LINES
  return more > 0 ? [`… (${more} lines more) …`, ...lines.slice(-MAX_LINES)] : lines
}
