import type { BoundedOutput } from '../../contract/job.ts'
import { partialMatch } from './partial-match.ts'

/** What the runner says at the end of a stream. */
export type Trailer =
  | {
      kind: 'exited'
      exitCode: number
      timedOut: boolean
      startedAt: number
      finishedAt: number
      stdout: BoundedOutput
      stderr: BoundedOutput
    }
  | { kind: 'unknown'; stdout: BoundedOutput; stderr: BoundedOutput }
  /** Of a command that was started only: its process group. */
  | { kind: 'running'; pid: number }

/**
 * Splits the runner's stdout into the command's output, which goes to `onOutput` as it comes, and the trailer. Holds back
 * only what could be the start of the trailer.
 */
export class TrailerReader {
  readonly #mark: string
  readonly #onOutput: (text: string) => void
  #held = ''
  #found = false

  constructor(nonce: string, onOutput: (text: string) => void) {
    this.#mark = `\n${nonce} `
    this.#onOutput = onOutput
  }

  push(text: string): void {
    this.#held += text
    if (this.#found) return
    const at = this.#held.indexOf(this.#mark)
    if (at >= 0) {
      this.#found = true
      this.#emit(at)
      return
    }
    this.#emit(this.#held.length - partialMatch(this.#held, this.#mark))
  }

  /** The trailer, or undefined where the stream ended without one. Call it when the stream has ended. */
  end(): Trailer | undefined {
    if (!this.#found || !this.#held.endsWith('\n')) return undefined
    return parseTrailer(this.#held.slice(this.#mark.length).trim())
  }

  #emit(length: number): void {
    if (length > 0) this.#onOutput(this.#held.slice(0, length))
    this.#held = this.#held.slice(length)
  }
}

/** Parses the trailer's line, without its nonce. */
export function parseTrailer(line: string): Trailer | undefined {
  const words = line.split(' ')
  if (words[0] === 'running') return { kind: 'running', pid: Number(words[1]) }
  const unknown = words[0] === 'unknown'
  const record = unknown ? [] : words.splice(0, 4).map(Number)
  if (unknown) words.shift()
  if (words.length !== 6 || record.some((number) => !Number.isSafeInteger(number))) return undefined
  const [stdout, stderr] = [output(words.slice(0, 3)), output(words.slice(3))]
  if (unknown) return { kind: 'unknown', stdout, stderr }
  const [exitCode = 0, timedOut, startedAt = 0, finishedAt = 0] = record
  return { kind: 'exited', exitCode, timedOut: timedOut === 1, startedAt, finishedAt, stdout, stderr }
}

/** `=` stands before each base64 word, so that an empty output is a word too; `-` says that the head is all of it. */
const output = ([size, head = '', tail = '-']: string[]): BoundedOutput => ({
  head: decode(head.slice(1)),
  tail: tail === '-' ? '' : decode(tail.slice(1)),
  bytes: Number(size),
})

const decode = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8')
