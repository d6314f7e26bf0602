import type { BoundedOutput } from './job.ts'

export type OutputStream = 'stdout' | 'stderr'

/** A place in what a command printed: bytes of each stream, in the sandbox of that number (a lost sandbox has a successor). */
export interface OutputPlace {
  sandbox: number
  stdout: number
  stderr: number
}

/** Some of what a command printed, and the place behind it to go on from. */
export interface OutputChunk {
  stream: OutputStream
  text: string
  /** Bytes before it that are not kept: the blob store was away for long, or the output is of more than 64 MiB. */
  missedBytes: number
  next: OutputPlace
}

/** An output as text; of a long one the head and the tail, and between them how much there is. */
export const outputText = ({ head, tail, bytes }: BoundedOutput): string =>
  tail ? head + cutMark(bytes) + tail : head

export const cutMark = (bytes: number): string => `\n… (${bytes} bytes in all) …\n`

/** A text of at most about `max` characters: of a longer one a third from its beginning, and the rest from its end. */
export const cutMiddle = (text: string, max: number): string =>
  text.length > max ? `${text.slice(0, max / 3)}\n…\n${text.slice((-max * 2) / 3)}` : text

/** What names the output of a job's step, of its run of the workflow. */
export const stepOutputName = (runId: string, step: number): string => `${runId}-${step}`
