import { randomBytes } from 'node:crypto'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { outputParts, partText, putOutput } from '../../src/blobs/output.ts'
import type { BlobStore } from '../../src/blobs/store.ts'
import { encryptedBlobs } from '../../src/payloads/encrypted-blobs.ts'
import { encryptionKeys, NO_KEYS } from '../../src/payloads/keys.ts'
import { type BlobStores, startBlobStores } from '../support/blob-stores.ts'
import { filesWith } from '../support/canaries.ts'

const newKey = (id: string): string => `${id}:${randomBytes(32).toString('base64')}`
const ring = (...keys: string[]) => encryptionKeys.parse(keys.join(','))
const [first, second] = [newKey('2026-01'), newKey('2026-07')]
const CANARY = 'planted-canary'
const PIECE = 64 * 1024

let root: string
let plain: BlobStores['stores']
let remove: BlobStores['remove']
beforeAll(async () => {
  ;({ root, stores: plain, remove } = await startBlobStores())
})
afterAll(() => remove())

const pathOf = (name: string): string => join(root, 'files', ...name.split('/'))
const put = (store: BlobStore, name: string, ...chunks: Uint8Array[]) =>
  store.put(name, Readable.from(chunks))
const read = async (store: BlobStore, name: string): Promise<Buffer> => buffer(await store.get(name))

describe.each(['folder', 's3'] as const)('in %s', (kind) => {
  test('a large blob comes back as it was, its size is told, and nothing of it stands in the store', async () => {
    const store = encryptedBlobs(plain[kind], ring(first))
    const content = Buffer.alloc(12 * 1024 * 1024 + 5, `${CANARY} `)
    expect(await put(store, 'a/large', content.subarray(0, 100), content.subarray(100))).toEqual({
      bytes: content.length,
    })
    expect((await read(store, 'a/large')).equals(content)).toBe(true)
    const stored = await read(plain[kind], 'a/large')
    expect(stored.length).toBeGreaterThan(content.length)
    expect(stored.includes(CANARY)).toBe(false)
    expect(await filesWith([CANARY], [root])).toEqual([])
  })

  test('after a rotation both are read, the new key alone reads what was written since, and a missing one is named', async () => {
    await put(encryptedBlobs(plain[kind], ring(first)), 'b/old', Buffer.from('old'))
    const rotated = encryptedBlobs(plain[kind], ring(second, first))
    await put(rotated, 'b/new', Buffer.from('new'))
    expect((await read(rotated, 'b/old')).toString()).toBe('old')
    expect((await read(encryptedBlobs(plain[kind], ring(second)), 'b/new')).toString()).toBe('new')
    for (const keys of [ring(second), NO_KEYS])
      await expect(encryptedBlobs(plain[kind], keys).get('b/old')).rejects.toMatchObject({
        type: 'PayloadKeyMissing',
        message: expect.stringContaining('b/old is encrypted with the key 2026-01') as string,
        nonRetryable: false,
      })
  })

  test('output is read from any byte on', async () => {
    const store = encryptedBlobs(plain[kind], ring(first))
    await putOutput(store, 'out/', 'stdout', { start: 0, end: 5, text: 'hello' })
    await putOutput(store, 'out/', 'stdout', { start: 5, end: 11, text: ' world' })
    const parts = await outputParts(store, 'out/', 'stdout', 3)
    const texts = await Promise.all(parts.map((part) => partText(store, part, 3)))
    expect(texts.join('')).toBe('lo world')
  })
})

test('whatever its size and the chunks it comes in, content comes back', async () => {
  const store = encryptedBlobs(plain.folder, ring(first))
  const size = fc.oneof(fc.constantFrom(0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE), fc.nat(3 * PIECE))
  await fc.assert(
    fc.asyncProperty(size, fc.array(fc.nat(), { maxLength: 4 }), async (bytes, cuts) => {
      const content = randomBytes(bytes)
      const at = [0, ...cuts.map((cut) => cut % (bytes + 1)).sort((a, b) => a - b), bytes]
      const chunks = at.slice(1).map((end, index) => new Uint8Array(content.subarray(at[index], end)))
      expect(await put(store, 'any', ...chunks)).toEqual({ bytes })
      expect((await read(store, 'any')).equals(content)).toBe(true)
    }),
    { numRuns: 60 },
  )
})

test('without keys nothing is encrypted, and what is plain is read with keys', async () => {
  const none = encryptedBlobs(plain.folder, NO_KEYS)
  for (const text of ['', 'short', CANARY.repeat(10_000)]) {
    await put(none, 'plain', Buffer.from(text))
    expect((await readFile(pathOf('plain'), 'utf8')) === text).toBe(true)
    expect((await read(encryptedBlobs(plain.folder, ring(first)), 'plain')).toString()).toBe(text)
  }
})

describe('what is refused as unreadable', () => {
  const unreadable = expect.objectContaining({ type: 'PayloadUnreadable' }) as Error
  const sealed = () => encryptedBlobs(plain.folder, ring(first))

  test('a blob that was changed anywhere behind its start, or cut', async () => {
    await put(sealed(), 'target', randomBytes(2 * PIECE + 10))
    const stored = await readFile(pathOf('target'))
    const begin = stored.indexOf('2026-01') + '2026-01'.length
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: begin, max: stored.length - 1 }), async (at) => {
        const changed = Buffer.from(stored)
        changed[at]! ^= 1
        for (const damaged of [changed, stored.subarray(0, at)]) {
          await writeFile(pathOf('target'), damaged)
          await expect(read(sealed(), 'target')).rejects.toEqual(unreadable)
        }
      }),
      { numRuns: 40 },
    )
  })

  test('one whose last whole pieces are left out', async () => {
    await put(sealed(), 'cut', randomBytes(3 * PIECE))
    const stored = await readFile(pathOf('cut'))
    await writeFile(pathOf('cut'), stored.subarray(0, stored.length - (PIECE + 16)))
    await expect(read(sealed(), 'cut')).rejects.toEqual(unreadable)
  })

  test('one that stands under the name of another', async () => {
    await put(sealed(), 'one', Buffer.from('content'))
    await cp(pathOf('one'), join(dirname(pathOf('one')), 'other'))
    await expect(sealed().get('other')).rejects.toEqual(unreadable)
  })

  test('one whose key is another now, before anything is read', async () => {
    await put(sealed(), 'one', Buffer.from('content'))
    await expect(encryptedBlobs(plain.folder, ring(newKey('2026-01'))).get('one')).rejects.toEqual(unreadable)
  })
})

test('a source that breaks leaves nothing, and a reader that stops early lets go of the file', async () => {
  const store = encryptedBlobs(plain.folder, ring(first))
  const broken = Readable.from(
    (async function* () {
      yield randomBytes(PIECE * 2)
      throw new Error('the source broke')
    })(),
  )
  await expect(store.put('broken', broken)).rejects.toThrow('the source broke')
  await expect(store.get('broken')).rejects.toMatchObject({ type: 'BlobMissing' })

  let file: Readable | undefined
  const watched = encryptedBlobs(
    { ...plain.folder, get: async (name) => (file = await plain.folder.get(name)) },
    ring(first),
  )
  await put(watched, 'long', randomBytes(10 * PIECE))
  const stream = await watched.get('long')
  stream.destroy()
  await expect.poll(() => file?.closed).toBe(true)
})

test('a stream of the web carries it too, as it is given to a sandbox', async () => {
  const store = encryptedBlobs(plain.folder, ring(first))
  const content = randomBytes(5 * PIECE + 1)
  await put(store, 'web', content)
  const web = Readable.toWeb(await store.get('web')) as ReadableStream
  expect(Buffer.from(await new Response(web).arrayBuffer()).equals(content)).toBe(true)
})
