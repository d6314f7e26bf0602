import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openBlobStore } from '../../src/blobs/open.ts'
import { keyWord, textOfKeyWord } from '../../src/blobs/store.ts'
import { type BlobStores, startBlobStores } from '../support/blob-stores.ts'

let blobs: BlobStores
beforeAll(async () => {
  blobs = await startBlobStores()
})
afterAll(() => blobs.remove())

const content = Buffer.alloc(6 * 1024 * 1024, 'holdfast')

describe.each(['folder', 's3'] as const)('a blob store in %s', (kind) => {
  test('gives back what was put, and a second put changes nothing', async () => {
    const store = blobs.stores[kind]
    for (let n = 0; n < 2; n++)
      expect(await store.put('a/b/one', Readable.from([content, content]))).toEqual({
        bytes: 2 * content.length,
      })
    const read = await buffer(await store.get('a/b/one'))
    expect(read.equals(Buffer.concat([content, content]))).toBe(true)
  })

  test('says that a blob is missing', async () => {
    await expect(blobs.stores[kind].get('nothing/here')).rejects.toMatchObject({ type: 'BlobMissing' })
  })

  test('lists the keys right under a prefix, in order', async () => {
    const store = blobs.stores[kind]
    for (const key of ['keys/b', 'keys/a', 'keys/under/c'])
      await store.put(key, Readable.from([Buffer.from(key)]))
    expect(await store.keys('keys/')).toEqual(['keys/a', 'keys/b'])
    expect(await store.keys('nothing/')).toEqual([])
  })

  test('lists the folders under a prefix, and deletes one of them with all that is in it', async () => {
    const store = blobs.stores[kind]
    for (const key of ['list/x/1', 'list/x/2', 'list/y/1'])
      await store.put(key, Readable.from([Buffer.from(key)]))
    expect((await store.folders('list/')).sort()).toEqual(['x', 'y'])
    await store.deleteAll('list/x/')
    expect(await store.folders('list/')).toEqual(['y'])
    await store.deleteAll('list/x/')
    expect(await store.folders('none/')).toEqual([])
  })

  test('a put that breaks off leaves nothing', async () => {
    const store = blobs.stores[kind]
    const broken = Readable.from(
      (async function* () {
        yield content
        throw new Error('the source broke')
      })(),
    )
    await expect(store.put('broken/one', broken)).rejects.toThrow()
    await expect(store.get('broken/one')).rejects.toMatchObject({ type: 'BlobMissing' })
  })
})

test('a folder that can not be written is unavailable, which may be mended', async () => {
  await writeFile(join(blobs.root, 'file'), '')
  const store = await openBlobStore(pathToFileURL(join(blobs.root, 'file')).href)
  await expect(store.put('a', Readable.from([content]))).rejects.toMatchObject({
    type: 'BlobStoreUnavailable',
    nonRetryable: false,
  })
})

test.each(['..', '.', 'a/../../b', 'job.with.dots', 'ümläut 1'])('%j is one safe word of a key', (text) => {
  expect(keyWord(text)).toMatch(/^[^/.]+$/)
  expect(textOfKeyWord(keyWord(text))).toBe(text)
})
