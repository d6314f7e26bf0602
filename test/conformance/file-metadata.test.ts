import { FilesystemEventType, Sandbox, type FilesystemEvent } from 'e2b'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

let server: SandboxServer
let sandbox: Sandbox
beforeAll(async () => {
  server = await startSandboxServer()
  sandbox = await Sandbox.create({ ...server.connection, timeoutMs: 300_000 })
})
afterAll(() => server.stop())

test.each([[true], [false]])('metadata comes back everywhere, octet-stream %s', async (useOctetStream) => {
  const metadata = { author: 'somebody', kind: 'draft' }
  const path = `described-${useOctetStream}`
  const written = await sandbox.files.write(path, 'x', { metadata, useOctetStream })
  expect(written.metadata).toEqual(metadata)
  expect((await sandbox.files.getInfo(path)).metadata).toEqual(metadata)
  const listed = (await sandbox.files.list('.')).find(({ name }) => name === path)
  expect(listed?.metadata).toEqual(metadata)
  expect((await sandbox.files.rename(path, `${path}-moved`)).metadata).toEqual(metadata)
})

test('an upload replaces the metadata of the one before as a whole', async () => {
  await sandbox.files.write('again', 'x', { metadata: { a: '1', b: '2' } })
  await sandbox.files.write('again', 'x', { metadata: { b: '3' } })
  expect((await sandbox.files.getInfo('again')).metadata).toEqual({ b: '3' })
  await sandbox.files.write('again', 'x')
  expect((await sandbox.files.getInfo('again')).metadata ?? {}).toEqual({})
})

test("attributes that a program in the sandbox sets under user.e2b. are metadata, others aren't", async () => {
  const set = (name: string) => `os.setxattr("by-hand", "${name}", b"v")`
  await sandbox.commands.run(
    `touch by-hand && python3 -c 'import os; ${set('user.e2b.key')}; ${set('user.other')}'`,
  )
  expect((await sandbox.files.getInfo('by-hand')).metadata).toEqual({ key: 'v' })
})

test('a watch that asks for entries tells them with their metadata', async () => {
  await sandbox.files.makeDir('watched')
  const seen: FilesystemEvent[] = []
  const watch = await sandbox.files.watchDir('watched', (event) => void seen.push(event), {
    includeEntry: true,
    allowNetworkMounts: true,
  })
  await sandbox.files.write('watched/file', 'x', { metadata: { a: '1' } })
  await expect
    .poll(() => seen.findLast(({ type }) => type === FilesystemEventType.CHMOD)?.entry)
    .toMatchObject({ path: '/home/user/watched/file', metadata: { a: '1' } })
  await watch.stop()
})

test.each([
  ['a value beyond ASCII', { 'x-metadata-key': 'é' }],
  ['a key of 247 bytes', { [`x-metadata-${'k'.repeat(247)}`]: 'v' }],
  ['more than 4096 bytes', { 'x-metadata-key': 'v'.repeat(4094) }],
])('%s is refused with 400, and nothing is written', async (_name, headers) => {
  const answer = await post(await sandbox.uploadUrl('refused'), 'x', {
    'content-type': 'application/octet-stream',
    ...headers,
  })
  expect([answer.status, await sandbox.files.exists('refused')]).toEqual([400, false])
})

test('a part named file is stored where the URL says though it has no file name', async () => {
  const form = new FormData()
  form.append('file', 'as text')
  const answer = await post(await sandbox.uploadUrl('unnamed'), form)
  expect(await answer.json()).toEqual([{ name: 'unnamed', path: '/home/user/unnamed', type: 'file' }])
  expect(await sandbox.files.read('unnamed')).toBe('as text')
})

const post = (url: string, body: string | FormData, headers: Record<string, string> = {}) =>
  fetch(url, { method: 'POST', body, headers })
