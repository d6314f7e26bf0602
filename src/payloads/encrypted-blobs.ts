import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import type { BlobStore } from '../blobs/store.ts'
import { failure } from '../contract/failure.ts'
import { activeKey, type EncryptionKey, type KeyRing } from './keys.ts'
import { PieceReader } from './piece-reader.ts'

const CIPHER = 'aes-256-gcm'
/** No text is taken for a sealed blob: UTF-8 has no such first byte. */
const MAGIC = Buffer.from('\xffholdfast-sealed-1\n', 'latin1')
const SALT_BYTES = 32
const KEY_BYTES = 32
const TAG_BYTES = 16
const PIECE_BYTES = 64 * 1024

/**
 * A store whose blobs are encrypted by the first key; what is plain stays readable. A blob is sealed in pieces, so that nothing of it is given
 * away before it is known to be what was written. Each piece is bound to its place and to being the last or not, and all to the blob's name.
 *
 * Layout: magic, length of the key's id in one byte, id, salt, and the pieces, each with its tag. Names of blobs stay readable.
 */
export function encryptedBlobs(store: BlobStore, keys: KeyRing): BlobStore {
  const active = activeKey(keys)
  return {
    ...store,
    put: async (name, content) => {
      if (!active) return store.put(name, content)
      const size = { bytes: 0 }
      const sealed = Readable.from(seal(content, { name, key: active, size }), { objectMode: false })
      await store.put(name, sealed)
      return size
    },
    get: async (name) => unsealed(await store.get(name), name, keys),
  }
}

async function* seal(
  content: Readable,
  { name, key: { id, key }, size }: { name: string; key: EncryptionKey; size: { bytes: number } },
): AsyncGenerator<Buffer, void> {
  const salt = randomBytes(SALT_BYTES)
  yield Buffer.concat([MAGIC, Buffer.of(Buffer.byteLength(id)), Buffer.from(id), salt])
  const ofBlob = keyOf(key, name, salt)
  for await (const { piece, nonce } of numbered(new PieceReader(content), PIECE_BYTES)) {
    size.bytes += piece.length
    const cipher = createCipheriv(CIPHER, ofBlob, nonce)
    yield Buffer.concat([cipher.update(piece), cipher.final(), cipher.getAuthTag()])
  }
}

/** @throws `PayloadKeyMissing`, `PayloadUnreadable` */
async function unsealed(stored: Readable, name: string, keys: KeyRing): Promise<Readable> {
  const pieces = new PieceReader(stored)
  try {
    const start = await pieces.next(MAGIC.length)
    if (!start.equals(MAGIC)) return attached(pieces.rest(start), stored)
    const id = (await pieces.next((await pieces.next(1))[0] ?? 0)).toString()
    const key = keys.get(id)
    if (!key)
      throw failure('PayloadKeyMissing', `the blob ${name} is encrypted with the key ${id}, which isn't here`)
    const ofBlob = keyOf(key, name, await pieces.next(SALT_BYTES))
    const plain = attached(unseal(pieces, ofBlob, { name, id }), stored)
    // A wrong key is told here, and not to whomever the stream is passed on to.
    await once(plain, 'readable')
    return plain
  } catch (error) {
    stored.destroy()
    throw error
  }
}

function attached(content: AsyncIterable<Buffer>, source: Readable): Readable {
  return Readable.from(content, { objectMode: false }).once('close', () => source.destroy())
}

async function* unseal(
  pieces: PieceReader,
  key: Buffer,
  { name, id }: { name: string; id: string },
): AsyncGenerator<Buffer, void> {
  for await (const { piece, nonce } of numbered(pieces, PIECE_BYTES + TAG_BYTES)) {
    try {
      const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
      decipher.setAuthTag(piece.subarray(-TAG_BYTES))
      yield Buffer.concat([decipher.update(piece.subarray(0, -TAG_BYTES)), decipher.final()])
    } catch (error) {
      const message = `the blob ${name} doesn't decrypt with the key ${id}: another key had that id, or the blob was changed`
      throw failure('PayloadUnreadable', message, { cause: error })
    }
  }
}

/** Of one blob and one writing of it, so that its nonces may be mere numbers. */
const keyOf = (key: EncryptionKey['key'], name: string, salt: Buffer): Buffer =>
  Buffer.from(hkdfSync('sha256', key, salt, Buffer.concat([MAGIC, Buffer.from(name)]), KEY_BYTES))

/** At least one piece; only the last may be shorter, and its nonce says that it is the last. */
async function* numbered(
  pieces: PieceReader,
  bytes: number,
): AsyncGenerator<{ piece: Buffer; nonce: Buffer }, void> {
  let piece = await pieces.next(bytes)
  for (let number = 0; ; number++) {
    const following = await pieces.next(bytes)
    const last = following.length === 0
    const nonce = Buffer.alloc(12)
    nonce.writeUInt32BE(number, 7)
    nonce[11] = Number(last)
    yield { piece, nonce }
    if (last) return
    piece = following
  }
}
