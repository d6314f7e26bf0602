import type { Readable } from 'node:stream'

/** Takes a stream in pieces of the sizes asked for, whatever sizes it comes in. */
export class PieceReader {
  readonly #chunks: AsyncIterator<Uint8Array>
  #held: Buffer[] = []

  constructor(stream: Readable) {
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
  }

  /** So many bytes; fewer only at the end of the stream, none after it. */
  async next(bytes: number): Promise<Buffer> {
    let length = this.#held.reduce((sum, chunk) => sum + chunk.length, 0)
    while (length < bytes) {
      const { value, done } = await this.#chunks.next()
      if (done) break
      this.#held.push(asBuffer(value))
      length += value.length
    }
    const all = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held)
    this.#held = all.length > bytes ? [all.subarray(bytes)] : []
    return all.subarray(0, bytes)
  }

  /** What was taken of the start, and all that is left, as it comes. */
  async *rest(start: Buffer): AsyncGenerator<Buffer, void> {
    yield start
    yield* this.#held
    for (let next = await this.#chunks.next(); !next.done; next = await this.#chunks.next())
      yield asBuffer(next.value)
  }
}

/** Without copying: streams of the web give plain bytes. */
const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength)
