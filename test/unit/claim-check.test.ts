import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Payload,
  type StorageDriver,
  StorageDriverClaim,
  type StorageDriverTargetInfo,
} from '@temporalio/common'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { folderBlobs } from '../../src/blobs/folder.ts'
import { claimCheck, redeemed } from '../../src/payloads/claim-check.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-claims-'))
})
afterAll(() => rm(folder, { recursive: true }))

const deployment = { owner: 'team.a', namespace: 'default' }
const blobs = () => Promise.resolve(folderBlobs(folder))
const storage = claimCheck({ deployment, blobs, minBytes: 1000 })
const driver = storage.getDriver('holdfast-blobs')!
const blind = claimCheck({ deployment, blobs: undefined, minBytes: 1000 })
const workflow = (id: string): StorageDriverTargetInfo => ({ kind: 'workflow', namespace: 'default', id })
const payload = (text: string): Payload => ({ metadata: { a: Buffer.from('b') }, data: Buffer.from(text) })
const retrieve = (claim: StorageDriverClaim, by: StorageDriver = driver): Promise<Payload[]> =>
  by.retrieve({}, [claim])
const typeOf = (type: string): unknown => expect.objectContaining({ type })

test("payloads of any workflow come back as they were, from that workflow's own folder", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ minLength: 1, maxLength: 50, unit: 'grapheme' }),
      fc.string(),
      async (id, text) => {
        const [claim] = await driver.store({ target: workflow(id) }, [payload(text)])
        const [back] = await retrieve(claim!)
        expect([back!.metadata, Buffer.from(back!.data!).toString()]).toEqual([payload(text).metadata, text])
      },
    ),
    { numRuns: 50 },
  )
})

test('the same payload is kept once', async () => {
  const store = () => driver.store({ target: workflow('twice') }, [payload('same')])
  expect(await store()).toEqual(await store())
  const kept = await readdir(join(folder, 'workflows', 'team%2Ea', 'default', 'twice', 'payloads'))
  expect(kept).toHaveLength(1)
})

test.each([
  '../../etc/passwd',
  'workflows/a/b/../payloads/' + 'a'.repeat(64),
  'workflows/a/b/c/run/checkpoint',
  '',
])('a reference to %s, which no claim check has made, is refused', async (key) => {
  await expect(retrieve(new StorageDriverClaim({ key }))).rejects.toEqual(typeOf('PayloadUnreadable'))
})

test('a blob that is gone, or has another content, is told', async () => {
  const [claim] = await driver.store({ target: workflow('damaged') }, [payload('content')])
  await writeFile(join(folder, claim!.claimData.key!), 'another')
  await expect(retrieve(claim!)).rejects.toEqual(typeOf('PayloadUnreadable'))
  await rm(join(folder, claim!.claimData.key!))
  await expect(retrieve(claim!)).rejects.toEqual(typeOf('BlobMissing'))
})

test('a program without the blob store keeps payloads in the history, and is told of those that are elsewhere', async () => {
  const large = payload('a'.repeat(2000))
  const context = { target: workflow('a') }
  expect(storage.driverSelector(context, large)).toBe(driver)
  expect(blind.driverSelector(context, large)).toBeNull()
  const [claim] = await driver.store(context, [large])
  const refused = retrieve(claim!, blind.getDriver('holdfast-blobs')!)
  await expect(refused).rejects.toEqual(typeOf('BlobStoreUnavailable'))
})

test('what is no reference stands for itself', async () => {
  expect(await redeemed(payload('a'), undefined)).toEqual(payload('a'))
})
