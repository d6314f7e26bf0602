import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import S3rver from 's3rver'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openBlobStore } from '../../src/blobs/open.ts'
import { type BlobStore, keyWord, textOfKeyWord } from '../../src/blobs/store.ts'

let folder: string
let s3: S3rver
let stores: Record<'folder' | 's3', BlobStore>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-blobs-'))
  s3 = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory: join(folder, 's3'),
    configureBuckets: [{ name: 'bucket', configs: [] }],
  })
  const { port } = await s3.run()
  // The AWS SDK reads its own settings, as it does for a worker.
  process.env.AWS_ENDPOINT_URL_S3 = `http://127.0.0.1:${port}`
  process.env.AWS_REGION = 'us-east-1'
  process.env.AWS_ACCESS_KEY_ID = process.env.AWS_SECRET_ACCESS_KEY = 'S3RVER'
  stores = {
    folder: await openBlobStore(pathToFileURL(join(folder, 'files')).href),
    s3: await openBlobStore('s3://bucket/prefix?pathStyle=true'),
  }
})
afterAll(async () => {
  await s3.close()
  await rm(folder, { recursive: true, force: true })
})

const content = Buffer.alloc(6 * 1024 * 1024, 'holdfast')

describe.each(['folder', 's3'] as const)('a blob store in %s', (kind) => {
  test('gives back what was put, and a second put changes nothing', async () => {
    const store = stores[kind]
    for (let n = 0; n < 2; n++)
      expect(await store.put('a/b/one', Readable.from([content, content]))).toEqual({
        bytes: 2 * content.length,
      })
    const read = await buffer(await store.get('a/b/one'))
    expect(read.equals(Buffer.concat([content, content]))).toBe(true)
  })

  test('says that a blob is missing', async () => {
    await expect(stores[kind].get('nothing/here')).rejects.toMatchObject({ type: 'BlobMissing' })
  })

  test('lists the keys right under a prefix, in order', async () => {
    const store = stores[kind]
    for (const key of ['keys/b', 'keys/a', 'keys/under/c'])
      await store.put(key, Readable.from([Buffer.from(key)]))
    expect(await store.keys('keys/')).toEqual(['keys/a', 'keys/b'])
    expect(await store.keys('nothing/')).toEqual([])
  })

  test('lists the folders under a prefix, and deletes one of them with all that is in it', async () => {
    const store = stores[kind]
    for (const key of ['list/x/1', 'list/x/2', 'list/y/1'])
      await store.put(key, Readable.from([Buffer.from(key)]))
    expect((await store.folders('list/')).sort()).toEqual(['x', 'y'])
    await store.deleteAll('list/x/')
    expect(await store.folders('list/')).toEqual(['y'])
    await store.deleteAll('list/x/')
    expect(await store.folders('none/')).toEqual([])
  })

  test('a put that breaks off leaves nothing', async () => {
    const store = stores[kind]
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
  await writeFile(join(folder, 'file'), '')
  const store = await openBlobStore(pathToFileURL(join(folder, 'file')).href)
  await expect(store.put('a', Readable.from([content]))).rejects.toMatchObject({
    type: 'BlobStoreUnavailable',
    nonRetryable: false,
  })
})

test.each(['..', '.', 'a/../../b', 'job.with.dots', 'ümläut 1'])('%j is one safe word of a key', (text) => {
  expect(keyWord(text)).toMatch(/^[^/.]+$/)
  expect(textOfKeyWord(keyWord(text))).toBe(text)
})
