import { setTimeout as delay } from 'node:timers/promises'
import { outputParts, partText } from '../blobs/output.ts'
import { type Deployment, outputsFolder } from '../blobs/places.ts'
import { type BlobStore, keyWord } from '../blobs/store.ts'
import type { OutputChunk, OutputPlace, OutputStream } from '../contract/output.ts'
import type { OpenBlobs } from './blobs.ts'
import { HoldfastError } from './errors.ts'

/** How often the blob store is asked for more: as often as something comes, and less often while nothing does. Milliseconds. */
const POLL = { fastest: 250, slowest: 2_000 }

const STREAMS: OutputStream[] = ['stdout', 'stderr']

export interface FollowOutput {
  /** The `next` of the last chunk seen; the beginning if left out. */
  from?: OutputPlace
  signal?: AbortSignal
}

/** An event, or a question to ask at times. */
type End = AbortSignal | (() => Promise<boolean>)

/** What commands print, read from the workers' blob store as it comes: it costs Temporal nothing. */
export class Outputs {
  readonly #deployment: Deployment
  readonly #open: OpenBlobs

  constructor(deployment: Deployment, open: OpenBlobs) {
    this.#deployment = deployment
    this.#open = open
  }

  /**
   * The output of that name, in order by stream, until nothing more can come. A blob store that is away for a while is waited for.
   *
   * @param end tells that the command has ended
   * @throws `BlobStoreUnavailable`, at once where this program doesn't know where it is; `PayloadKeyMissing`
   */
  follow(
    workflowId: string,
    name: string,
    end: End,
    options: FollowOutput = {},
  ): AsyncGenerator<OutputChunk, void> {
    const folder = `${outputsFolder(this.#deployment, workflowId)}${keyWord(name)}/`
    return this.#read(this.#open(), folder, end, options)
  }

  async *#read(
    store: Promise<BlobStore>,
    folder: string,
    end: End,
    { from, signal }: FollowOutput,
  ): AsyncGenerator<OutputChunk, void> {
    const blobs = await store
    const woken = AbortSignal.any([signal, end].filter((one) => one instanceof AbortSignal))
    let place = from ?? { sandbox: 0, stdout: 0, stderr: 0 }
    let wait = POLL.fastest
    for (;;) {
      if (signal?.aborted) return
      const last = end instanceof AbortSignal ? end.aborted : await end()
      let quiet = true
      try {
        for await (const chunk of newChunks(blobs, folder, place)) {
          place = chunk.next
          yield chunk
          quiet = false
        }
      } catch (error) {
        const told = HoldfastError.from(error)
        if (last || (told instanceof HoldfastError && told.type === 'PayloadKeyMissing')) throw told
      }
      if (last) return
      wait = quiet ? Math.min(wait * 1.3, POLL.slowest) : POLL.fastest
      await delay(wait, undefined, { signal: woken }).catch(() => undefined)
    }
  }
}

async function* newChunks(
  blobs: BlobStore,
  folder: string,
  from: OutputPlace,
): AsyncGenerator<OutputChunk, void> {
  const numbers = (await blobs.folders(folder)).map(Number)
  const sandbox = Math.max(from.sandbox, ...numbers)
  let next = sandbox > from.sandbox ? { sandbox, stdout: 0, stderr: 0 } : from
  for (const stream of STREAMS)
    for (const part of await outputParts(blobs, `${folder}${sandbox}/`, stream, next[stream])) {
      const at = next[stream]
      // Two attempts that didn't know of each other may have kept the same.
      if (part.end <= at) continue
      const text = await partText(blobs, part, at)
      next = { ...next, [stream]: part.end }
      yield { stream, text, missedBytes: Math.max(0, part.start - at), next }
    }
}
