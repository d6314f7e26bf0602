import { Context } from '@temporalio/activity'
import { Mutex } from 'async-mutex'
import { outputBytes, outputParts, putOutput } from '../../blobs/output.ts'
import type { OutputStream } from '../../contract/output.ts'
import type { ActivityDeps } from './deps.ts'
import { outputFolder } from './places.ts'

const PART_MS = 1_000
const MAX_PART = 256 * 1024
/** What waits for a blob store that is away; then it goes, and readers are told how much is missing. */
const MAX_WAITING = 8 * 1024 * 1024
const MAX_BYTES = 64 * 1024 * 1024

/** Opens the logs of both streams of what prints in a sandbox, does the work, and closes them. */
export async function withOutputLogs<T>(
  deps: ActivityDeps,
  { name, sandboxNumber }: { name: string; sandboxNumber: number },
  work: (logs: OutputLogs) => Promise<T>,
): Promise<T> {
  const folder = `${outputFolder(deps, name)}${sandboxNumber}/`
  const open = (stream: OutputStream) => OutputLog.open(deps, folder, stream)
  const [stdout, stderr] = await Promise.all([open('stdout'), open('stderr')])
  let whole = false
  try {
    const result = await work({ stdout, stderr })
    whole = true
    return result
  } finally {
    await Promise.all([stdout.close(whole), stderr.close(whole)])
  }
}

export type OutputLogs = Record<OutputStream, OutputLog>

/**
 * What a command prints to one stream, kept in the blob store as it comes, for whoever follows it. It is for watching: a blob store
 * that is away ends no command.
 */
export class OutputLog {
  readonly #deps: ActivityDeps
  readonly #folder: string
  readonly #stream: OutputStream
  readonly #turn = new Mutex()
  #timer: NodeJS.Timeout | undefined
  #waiting = ''
  /** Where what waits begins. */
  #at: number

  private constructor(deps: ActivityDeps, folder: string, stream: OutputStream, at: number) {
    this.#deps = deps
    this.#folder = folder
    this.#stream = stream
    this.#at = at
  }

  /** Goes on behind what earlier attempts have kept. */
  static async open(deps: ActivityDeps, folder: string, stream: OutputStream): Promise<OutputLog> {
    const parts = await outputParts(deps.blobs, folder, stream, 0)
    return new OutputLog(deps, folder, stream, Math.max(0, ...parts.map(({ end }) => end)))
  }

  /** Bytes of the stream that are kept or wait. */
  get end(): number {
    return this.#at + outputBytes(this.#waiting)
  }

  push(text: string): void {
    if (this.#at >= MAX_BYTES) return
    this.#waiting += text
    if (this.#waiting.length >= MAX_WAITING) this.#drop()
    if (this.#waiting.length >= MAX_PART) void this.#write(false)
    else this.#later()
  }

  /** Keeps what waits; of an output that goes on elsewhere, not what may be the beginning of a secret: who goes on asks for it again. */
  async close(whole: boolean): Promise<void> {
    await this.#write(whole)
    clearTimeout(this.#timer)
  }

  #later(): void {
    this.#timer ??= setTimeout(() => void this.#write(false), PART_MS)
  }

  #drop(): void {
    this.#at = this.end
    this.#waiting = ''
  }

  #write(last: boolean): Promise<void> {
    return this.#turn.runExclusive(async () => {
      clearTimeout(this.#timer)
      this.#timer = undefined
      const { blobs, secrets } = this.#deps
      const held = last ? 0 : secrets.heldBack(this.#waiting)
      const text = this.#waiting.slice(0, this.#waiting.length - held)
      if (text === '') return
      const start = this.#at
      const end = start + outputBytes(text)
      this.#at = end
      this.#waiting = this.#waiting.slice(text.length)
      try {
        await putOutput(blobs, this.#folder, this.#stream, { start, end, text: secrets.redact(text) })
      } catch (error) {
        if (last) Context.current().log.warn('the end of an output is not kept', { error })
        else if (this.#at === end) {
          this.#at = start
          this.#waiting = text + this.#waiting
          this.#later()
        }
      }
    })
  }
}
