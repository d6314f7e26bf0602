import type { BoundedOutput } from '../../contract/job.ts'
import { partialMatch } from './partial-match.ts'

interface Outputs {
  stdout: BoundedOutput
  stderr: BoundedOutput
  /** Whether the stream had the outputs too; otherwise the heads are all there is. */
  streamed: boolean
}

/** What the runner says at the end of a stream. */
export type Trailer =
  | ({
      kind: 'exited'
      exitCode: number
      timedOut: boolean
      startedAt: number
      finishedAt: number
    } & Outputs)
  | ({ kind: 'unknown' } & Outputs)
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
    return this.#found ? parseTrailer(this.#held.slice(this.#mark.length), this.#mark) : undefined
  }

  #emit(length: number): void {
    if (length > 0) this.#onOutput(this.#held.slice(0, length))
    this.#held = this.#held.slice(length)
  }
}

/** Parses the trailer behind its first mark. A mark stands behind each head and tail too. */
export function parseTrailer(text: string, mark: string): Trailer | undefined {
  const [first = '', ...sections] = text.split(mark)
  const at = first.indexOf('\n')
  if (at < 0) return undefined
  const words = first.slice(0, at).split(' ')
  if (words[0] === 'running') return { kind: 'running', pid: Number(words[1]) }
  const unknown = words[0] === 'unknown'
  const numbers = words.slice(unknown ? 1 : 0).map(Number)
  if (sections.length !== 4 || numbers.length !== (unknown ? 3 : 7) || !numbers.every(Number.isSafeInteger))
    return undefined
  const [outTail = '', errHead = '', errTail = ''] = sections
  const [outBytes = 0, errBytes = 0, streamed] = numbers.splice(-3)
  const outputs = {
    stdout: { head: first.slice(at + 1), tail: outTail, bytes: outBytes },
    stderr: { head: errHead, tail: errTail, bytes: errBytes },
    streamed: streamed === 1,
  }
  if (unknown) return { kind: 'unknown', ...outputs }
  const [exitCode = 0, timedOut, startedAt = 0, finishedAt = 0] = numbers
  return { kind: 'exited', exitCode, timedOut: timedOut === 1, startedAt, finishedAt, ...outputs }
}
