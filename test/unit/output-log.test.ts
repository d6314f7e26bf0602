import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ActivityDeps } from '../../src/activities/lib/deps.ts'
import { OutputLog } from '../../src/activities/lib/output-log.ts'
import { createSecretStore } from '../../src/activities/lib/secrets.ts'
import { folderBlobs } from '../../src/blobs/folder.ts'
import type { BlobStore } from '../../src/blobs/store.ts'
import { blobsOfClient } from '../../src/client/blobs.ts'
import { NO_KEYS } from '../../src/payloads/keys.ts'
import { Outputs } from '../../src/client/outputs.ts'

const SECRET = 'tok-abcabd'
const DEPLOYMENT = { owner: 'test', namespace: 'default' }

let root: string
let blobs: BlobStore
let outputs: Outputs
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-output-'))
  blobs = folderBlobs(root)
  outputs = new Outputs(DEPLOYMENT, blobsOfClient(pathToFileURL(root).href, NO_KEYS))
})
afterAll(() => rm(root, { recursive: true, force: true }))

function deps(store = blobs): ActivityDeps {
  const secrets = createSecretStore([], { known: [SECRET] })
  return { ...DEPLOYMENT, blobs: store, secrets } as ActivityDeps
}

let names = 0
const place = () => {
  const name = `command-${names++}`
  return { name, folder: `workflows/test/default/job/outputs/${name}/1/` }
}

async function read(name: string): Promise<string> {
  let text = ''
  for await (const chunk of outputs.follow('job', name, AbortSignal.abort()))
    text += (chunk.missedBytes > 0 ? `<${chunk.missedBytes}>` : '') + chunk.text
  return text
}

test('however a text is cut, and however often its keeper is replaced, it is read as it was, without the secret', async () => {
  const piece = fc.oneof(
    fc.constantFrom(SECRET, 'tok-', 'tok-abc', 'abd', 'é', ' ', '𝄞'),
    fc.string({ maxLength: 20 }),
  )
  const run = fc.array(fc.array(piece, { maxLength: 8 }), { minLength: 1, maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(run, async (attempts) => {
      const { name, folder } = place()
      const text = attempts.flat().join('')
      const bytes = Buffer.from(text)
      let printed = ''
      for (const [at, pieces] of attempts.entries()) {
        const log = await OutputLog.open(deps(), folder, 'stdout')
        // What the one before has not kept is asked for again.
        log.push(Buffer.from(printed).subarray(log.end).toString())
        for (const one of pieces) log.push(one)
        printed += pieces.join('')
        await log.close(at === attempts.length - 1)
      }
      expect((await OutputLog.open(deps(), folder, 'stdout')).end).toBe(bytes.length)
      expect(await read(name)).toBe(deps().secrets.redact(text))
    }),
    { numRuns: 100 },
  )
})

test('what may be the beginning of a secret waits until more is known', async () => {
  const { name, folder } = place()
  const log = await OutputLog.open(deps(), folder, 'stdout')
  log.push(`${'x'.repeat(300_000)}tok-abc`)
  await expect.poll(async () => (await read(name)).length).toBe(300_000)
  log.push('abd!')
  await log.close(true)
  expect((await read(name)).slice(300_000)).toBe('***!')
})

test('what a blob store that was away could not take comes when it is back', async () => {
  let away = true
  const flaky: BlobStore = {
    ...blobs,
    put: (...args) => (away ? Promise.reject(new Error('away')) : blobs.put(...args)),
  }
  const { name, folder } = place()
  const log = await OutputLog.open(deps(flaky), folder, 'stderr')
  log.push('a'.repeat(300_000))
  log.push('b')
  away = false
  await log.close(true)
  expect(await read(name)).toBe(`${'a'.repeat(300_000)}b`)
})

test('of what is more than it may hold meanwhile the reader is told how much is missing', async () => {
  const { name, folder } = place()
  const log = await OutputLog.open(deps(), folder, 'stdout')
  log.push('a'.repeat(9 * 1024 * 1024))
  log.push('after')
  await log.close(true)
  expect(await read(name)).toBe(`<${9 * 1024 * 1024}>after`)
})

test('the output in a later sandbox is read in place of the one in a lost sandbox', async () => {
  const { name, folder } = place()
  for (const number of [1, 2]) {
    const log = await OutputLog.open(deps(), folder.replace('/1/', `/${number}/`), 'stdout')
    log.push(`in ${number}`)
    await log.close(true)
  }
  expect(await read(name)).toBe('in 2')
})

test('a program that does not know the blob store is told so at once', () => {
  expect(() =>
    new Outputs(DEPLOYMENT, blobsOfClient(undefined, NO_KEYS)).follow('job', 'x', AbortSignal.abort()),
  ).toThrow('HOLDFAST_BLOB_STORE')
})
