import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { OutputStream } from '../contract/output.ts'
import type { BlobStore } from './store.ts'

/**
 * What a command printed to one stream: blobs named by the bytes of the stream that they cover. Their text may be longer or shorter, where
 * secrets were blotted out.
 */
export interface OutputPart {
  key: string
  start: number
  /** Behind the last byte. */
  end: number
}

/** Enough for a petabyte, so that the order of names is the order of parts. */
const DIGITS = 15
const padded = (offset: number): string => String(offset).padStart(DIGITS, '0')

const folderOf = (folder: string, stream: OutputStream): string => `${folder}${stream}/`

/** Bytes of what was decoded: each U+FFFD stands for a byte that was none of UTF-8. */
export const outputBytes = (text: string): number =>
  Buffer.byteLength(text) - 2 * (text.split('\uFFFD').length - 1)

export async function putOutput(
  blobs: BlobStore,
  folder: string,
  stream: OutputStream,
  part: { start: number; end: number; text: string },
): Promise<void> {
  const key = `${folderOf(folder, stream)}${padded(part.start)}-${padded(part.end)}`
  await blobs.put(key, Readable.from([Buffer.from(part.text)]))
}

/** The parts that cover what comes after `from`, in order. */
export async function outputParts(
  blobs: BlobStore,
  folder: string,
  stream: OutputStream,
  from: number,
): Promise<OutputPart[]> {
  const keys = await blobs.keys(folderOf(folder, stream))
  return keys
    .map((key) => {
      const [start, end] = key.slice(folderOf(folder, stream).length).split('-').map(Number)
      return { key, start: start!, end: end! }
    })
    .filter(({ end }) => end > from)
}

/** The text of a part after `from`. One that overlaps another is cut, which is exact where nothing was blotted out. */
export async function partText(blobs: BlobStore, { key, start }: OutputPart, from: number): Promise<string> {
  const content = await text(await blobs.get(key))
  return from > start
    ? Buffer.from(content)
        .subarray(from - start)
        .toString()
    : content
}
