import { constants, gunzipSync, inflateRawSync, inflateSync } from 'node:zlib'
import { Decompress } from 'fzstd'

/** Deep enough for what git has compressed in an archive of an archive. */
const MAX_DEPTH = 3

/** What was cut off while it was written is read as far as it goes. */
const OPTIONS = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 256 * 2 ** 20 }

interface Format {
  /** Any of these is where a stream may begin. */
  magic: Buffer[]
  unpack: (stream: Buffer) => Buffer
}

const bytes = (...hex: string[]): Buffer[] => hex.map((text) => Buffer.from(text, 'hex'))

const FORMATS: Format[] = [
  { magic: bytes('1f8b08'), unpack: (stream) => gunzipSync(stream, OPTIONS) },
  // Of git: loose objects, packs, bundles. The second byte is the level.
  { magic: bytes('7801', '785e', '789c', '78da'), unpack: (stream) => inflateSync(stream, OPTIONS) },
  { magic: bytes('28b52ffd'), unpack: zstd },
  { magic: bytes('504b0304'), unpack: zipEntry },
]

/**
 * All that is compressed in the content, by gzip, zlib, zstd or zip, wherever it begins, and what is compressed in that. So archives and git's
 * packs need no reading of their own; in a pack only what one object has as a difference to another may be in two pieces.
 */
export function* unpacked(content: Buffer, depth = MAX_DEPTH): Generator<Buffer, void> {
  if (depth === 0) return
  for (const { magic, unpack } of FORMATS)
    for (const start of magic.flatMap((one) => [...placesOf(one, content)])) {
      const inner = attempt(() => unpack(content.subarray(start)))
      if (!inner || inner.length === 0) continue
      yield inner
      yield* unpacked(inner, depth - 1)
    }
}

function* placesOf(magic: Buffer, content: Buffer): Generator<number, void> {
  for (let at = content.indexOf(magic); at >= 0; at = content.indexOf(magic, at + 1)) yield at
}

/** Most of what looks like a beginning is none. */
function attempt(unpack: () => Buffer): Buffer | undefined {
  try {
    return unpack()
  } catch {
    return undefined
  }
}

function zstd(stream: Buffer): Buffer {
  const chunks: Uint8Array[] = []
  const decompress = new Decompress((chunk) => void chunks.push(chunk))
  // What comes behind the stream is none, which is no reason to forget what was read.
  attempt(() => (decompress.push(stream, true), stream))
  return Buffer.concat(chunks)
}

function zipEntry(entry: Buffer): Buffer {
  const [nameBytes, extraBytes] = [entry.readUInt16LE(26), entry.readUInt16LE(28)]
  return inflateRawSync(entry.subarray(30 + nameBytes + extraBytes), OPTIONS)
}
