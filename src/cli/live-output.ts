import type { Session } from '../client/session.ts'
import { cutMark, type OutputChunk, type OutputStream } from '../contract/output.ts'
import { reportError } from './errors.ts'
import { printNote } from './terminal.ts'

/** How many bytes of a stream were shown. A U+FFFD stands for one to three, and is counted as one: so at least, and at most. */
export interface Shown {
  atLeast: number
  atMost: number
}

export const NOTHING_SHOWN: Record<OutputStream, Shown> = {
  stdout: { atLeast: 0, atMost: 0 },
  stderr: { atLeast: 0, atMost: 0 },
}

/**
 * What was not shown of a stream: how many bytes, and of them what the command's outcome has, the end of a long output. That is exact where
 * no secret was blotted out.
 */
export function unshown(
  { text, bytes }: { text: string; bytes: number },
  { atLeast, atMost }: Shown,
): { text: string; bytes: number } {
  if (atMost >= bytes) return { text: '', bytes: 0 }
  const missing = bytes - atLeast
  if (atLeast === 0) return { text, bytes: missing }
  const end = text.split(cutMark(bytes)).at(-1)!
  return { text: Buffer.from(end).subarray(-missing).toString(), bytes: missing }
}

/** Prints what the command prints, as it comes, where this program knows a blob store. */
export class LiveOutput {
  readonly known: boolean
  /** What was printed; known after `end`. */
  readonly shown = { ...NOTHING_SHOWN }
  readonly #ended = new AbortController()
  readonly #showing: Promise<void>

  constructor(session: Session, commandId: string) {
    let chunks: AsyncGenerator<OutputChunk, void> | undefined
    try {
      chunks = session.commandOutput(commandId, this.#ended.signal)
    } catch (error) {
      if (reportError(error).type !== 'BlobStoreUnavailable') throw error
    }
    this.known = chunks !== undefined
    this.#showing = chunks ? this.#show(chunks) : Promise.resolve()
  }

  /** Prints what is left. */
  async end(): Promise<void> {
    this.#ended.abort()
    await this.#showing
  }

  async #show(chunks: AsyncGenerator<OutputChunk, void>): Promise<void> {
    try {
      for await (const { stream, text, missedBytes, next } of chunks) {
        if (missedBytes > 0) printNote(`… (${missedBytes} bytes are not kept) …`)
        process[stream].write(text)
        const { atLeast, atMost } = this.shown[stream]
        const uncounted = 2 * (text.split('\uFFFD').length - 1)
        this.shown[stream] = { atLeast: next[stream], atMost: next[stream] + (atMost - atLeast) + uncounted }
      }
    } catch (error) {
      printNote(`the output can't be read as it comes: ${reportError(error).message}`)
    }
  }
}
