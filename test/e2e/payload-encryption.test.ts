import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Client, Connection } from '@temporalio/client'
import protocol from '@temporalio/proto'
import { execa } from 'execa'
import pRetry from 'p-retry'
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest'
import { connect, type FailureReport, HoldfastError, type Job, type Jobs } from '../../src/index.ts'
import { locateCli } from '../../src/runtime/temporal/locate-cli.ts'
import { filesWith } from '../support/canaries.ts'
import { type JsonPayload, payloadsIn } from '../support/payloads.ts'
import { steadyPort } from '../support/steady-port.ts'
import { end, eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'
import { type Program, startProgram } from '../support/program.ts'

const newKey = (id: string): string => `${id}:${randomBytes(32).toString('base64')}`
const [before, after] = [newKey('before-rotation'), newKey('after-rotation')]
const rotated = `${after},${before}`
const CANARY = 'planted-canary-value'
const TOKEN = 'the-token-of-the-codec-server'
/** More than a history should carry. */
const LARGE = `${CANARY} in what is large\n`.repeat(10_000)
const UI = 'http://ui.example'

let holdfast: Holdfast
let connection: Connection
let codecServer: Program
let codecUrl: string
/** One that needed both keys, and one that failed; the canary is in their specs, files and outputs. */
let done: Job
let doneUrl: string
let failed: Job
const clients: Jobs[] = []

beforeAll(async () => {
  const address = inject('temporalAddress')
  holdfast = await startHoldfast({ encryptionKeys: `${before},${after}` })
  connection = await Connection.connect({ address })
  codecUrl = `http://127.0.0.1:${await steadyPort()}`
  const port = new URL(codecUrl).port
  codecServer = startProgram(['codec-server', '--port', port, '--origin', UI], {
    HOLDFAST_ENCRYPTION_KEYS: rotated,
    HOLDFAST_CODEC_TOKEN: TOKEN,
    HOLDFAST_BLOB_STORE: holdfast.blobStore,
  })
  const worker = await holdfast.startWorker()
  const failing = await holdfast.spec({
    steps: [{ write: 'made.txt', content: CANARY }, { run: `echo ${CANARY}; exit 3` }],
    sandbox: { keep: 'on-failure' },
  })
  failed = await holdfast.jobs.submit(failing)
  const spec = await holdfast.spec({
    steps: [{ run: `echo ${CANARY} | tee made.txt` }, { write: 'large.txt', content: LARGE }],
    review: { required: true },
  })
  doneUrl = spec.repo.url
  done = await holdfast.jobs.submit(spec)
  await Promise.all([eventOf(done, 'reviewRequested'), failed.result().catch(() => undefined)])
  await end(worker, 'SIGTERM')
  // What the old key has sealed is all that is left of the work.
  const kept = await holdfast.connectSandboxes(done.id)
  await Promise.all(kept.map((sandbox) => sandbox.kill()))
  const forgetful = await holdfast.startWorker({ HOLDFAST_ENCRYPTION_KEYS: after })
  const jobs = await clientWith(rotated)
  // Temporal refuses it once the task has failed a few times.
  const approved = pRetry(() => jobs.get(done.id).approve({ by: 'the test' }), {
    retries: 20,
    maxTimeout: 1_000,
    shouldRetry: ({ error }) => error instanceof HoldfastError && error.type === 'NoWorker',
  })
  await untilTaskFailed(done)
  await end(forgetful, 'SIGTERM')
  await holdfast.startWorker({ HOLDFAST_ENCRYPTION_KEYS: rotated })
  await approved
  done = jobs.get(done.id)
  expect((await done.result()).outcome).toBe('completed')
  await codecServer.until('stdout', /codec server is at/)
})
afterAll(async () => {
  codecServer.send('SIGTERM')
  await codecServer.ended
  for (const client of clients) await client.close()
  await connection.close()
  await holdfast.stop()
})

async function clientWith(encryptionKeys: string): Promise<Jobs> {
  const jobs = await connect({
    address: inject('temporalAddress'),
    taskQueue: holdfast.taskQueue,
    blobStore: holdfast.blobStore,
    encryptionKeys,
  })
  clients.push(jobs)
  return jobs
}

const untilTaskFailed = ({ id }: Job): Promise<unknown> =>
  vi.waitUntil(async () => (await holdfast.historyOf(id)).includes('workflowTaskFailedEventAttributes'), {
    timeout: 60_000,
    interval: 200,
  })

/** What Temporal keeps of a job: its events, and all payloads in them. */
async function kept({ id }: Job): Promise<{ text: string; payloads: JsonPayload[] }> {
  const handle = new Client({ connection }).workflow.getHandle(id)
  const proto = protocol.temporal.api.history.v1.History
  const history = proto.toObject(proto.fromObject(await handle.fetchHistory()), {
    bytes: String,
    longs: String,
    enums: String,
  })
  const payloads = payloadsIn(history)
  return { text: `${JSON.stringify(history)}\n${contentsOf(payloads)}`, payloads }
}

const contentsOf = (payloads: JsonPayload[]): string =>
  payloads.map(({ data = '' }) => Buffer.from(data, 'base64').toString()).join('\n')

const ask = (path: string, init: RequestInit): Promise<Response> => fetch(`${codecUrl}${path}`, init)
const decode = (payloads: object[], authorization: string): Promise<Response> =>
  ask('/decode', { method: 'POST', headers: { authorization }, body: JSON.stringify({ payloads }) })

test('no text of a job stands in its history, and the codec server reads all of it', async () => {
  for (const job of [done, failed]) {
    const { text, payloads } = await kept(job)
    expect(text).not.toContain(CANARY)
    expect(text).not.toContain('exited with 3')
    const response = await decode(payloads, `Bearer ${TOKEN}`)
    const decoded = ((await response.json()) as { payloads: JsonPayload[] }).payloads
    expect(contentsOf(decoded)).toContain(CANARY)
    expect(contentsOf(decoded).includes('exited with 3')).toBe(job === failed)
  }
  expect((await kept(failed)).text).toContain('Encoded failure')
})

test('what is large is in the blob store, encrypted, and the history has references', async () => {
  const { text, payloads } = await kept(done)
  expect(text.length).toBeLessThan(LARGE.length)
  expect(contentsOf(payloads)).toContain('holdfast-blobs')
  const blobs = (await holdfast.listBlobs()).filter((path) => path.includes('/payloads/'))
  expect(blobs.length).toBeGreaterThan(0)
  for (const path of blobs) expect(await readFile(path, 'utf8')).not.toContain(CANARY)
  const decoded = (await (await decode(payloads, `Bearer ${TOKEN}`)).json()) as { payloads: JsonPayload[] }
  expect(contentsOf(decoded.payloads)).toContain(JSON.stringify(LARGE))
})

test('a worker without the old key says which one it needs, and the job goes on when it is back, from its checkpoint', async () => {
  const { payloads } = await kept(done)
  const decoded = (await (await decode(payloads, `Bearer ${TOKEN}`)).json()) as { payloads: JsonPayload[] }
  expect(contentsOf(decoded.payloads)).toContain('encrypted with the key before-rotation')
  const { commit } = await done.result()
  expect(await holdfast.repository(doneUrl).show(`${commit}:made.txt`)).toContain(CANARY)
})

test('checkpoints, outputs and payloads in the blob store are encrypted, and whoever has the key reads them', async () => {
  expect((await holdfast.listBlobs()).filter((path) => /bundle|outputs/.test(path)).length).toBeGreaterThan(2)
  expect(await filesWith([CANARY, 'git bundle'], [fileURLToPath(holdfast.blobStore)])).toEqual([])
  const report: unknown = await failed.result().catch((error: HoldfastError) => error.report)
  const [bundle = ''] = (report as FailureReport).checkpoint ?? []
  const read = await execa('node', ['bin/holdfast.mjs', 'blob', bundle], {
    env: {
      TEMPORAL_ADDRESS: inject('temporalAddress'),
      HOLDFAST_BLOB_STORE: holdfast.blobStore,
      HOLDFAST_ENCRYPTION_KEYS: rotated,
    },
  })
  expect(read.stdout).toContain('git bundle')
  const blind = await clientWith(after)
  for (const ask of [blind.blob(bundle), drained(blind.get(failed.id).output({ step: 1 }))])
    await expect(ask).rejects.toMatchObject({
      type: 'PayloadKeyMissing',
      message: expect.stringContaining('before-rotation') as string,
    })
  const sighted = await clientWith(rotated)
  expect(await drained(sighted.get(failed.id).output({ step: 1 }))).toContain(CANARY)
})

async function drained(chunks: AsyncIterable<{ text: string }>): Promise<string> {
  let text = ''
  for await (const chunk of chunks) text += chunk.text
  return text
}

test('what is looked for at the end of every world is found in what a key has encrypted', async () => {
  const leaks = (await holdfast.leaks([CANARY])).join('\n')
  for (const { id } of [done, failed]) expect(leaks).toMatch(new RegExp(`^${id} [0-9a-f-]{36}$`, 'm'))
  for (const blob of [/\.bundle$/m, /\/outputs\//, /\/payloads\//]) expect(leaks).toMatch(blob)
})

test('a failed job is told in full to a client with the key', async () => {
  await expect(failed.result()).rejects.toMatchObject({
    type: 'StepFailed',
    report: { output: expect.stringContaining(CANARY) as string },
  })
})

test('the reaper knows the owners of sandboxes, with whatever key they were started', async () => {
  const { sandboxes } = await (await clientWith(rotated)).sandboxes()
  expect(sandboxes.map(({ workflowId, owner, fate }) => [workflowId, owner, fate])).toEqual([
    [failed.id, 'FAILED', 'kept'],
  ])
})

test('a client without the key is told which one it needs', async () => {
  for (const keys of ['', after])
    await expect((await clientWith(keys)).get(failed.id).result()).rejects.toMatchObject({
      type: 'PayloadKeyMissing',
      message: expect.stringContaining('before-rotation') as string,
    })
})

test("Temporal's CLI shows what happened by the codec server, and nothing without", async () => {
  const { path } = await locateCli({ env: process.env, onProgress: () => undefined })
  const address = inject('temporalAddress')
  const show = ['workflow', 'show', '--address', address, '--workflow-id', failed.id, '--output', 'json']
  const withCodec = ['--codec-endpoint', codecUrl, '--codec-auth', `Bearer ${TOKEN}`]
  const [plain, decoded] = await Promise.all([execa(path, show), execa(path, [...show, ...withCodec])])
  const shown = ({ stdout }: { stdout: string }): string => contentsOf(payloadsIn(JSON.parse(stdout)))
  expect(shown(plain)).not.toContain(CANARY)
  expect(shown(decoded)).toContain(CANARY)
  expect(shown(decoded)).toContain('exited with 3')
})

test('the codec server answers nobody without its token, and pages of the known origin only', async () => {
  const { payloads } = await kept(done)
  expect((await decode(payloads, `Bearer ${TOKEN}x`)).status).toBe(401)
  expect((await decode(payloads, '')).status).toBe(401)
  const basic = Buffer.from(`anyone:${TOKEN}`).toString('base64')
  expect((await decode(payloads, `Basic ${basic}`)).status).toBe(200)
  const preflight = (origin: string): Promise<Response> =>
    ask('/decode', { method: 'OPTIONS', headers: { origin } })
  expect((await preflight(UI)).headers.get('access-control-allow-origin')).toBe(UI)
  expect((await preflight('http://elsewhere.example')).headers.has('access-control-allow-origin')).toBe(false)
})

test('the codec server encodes what it decodes, and refuses what is no payload', async () => {
  const headers = { authorization: `Bearer ${TOKEN}` }
  const payloads = [{ metadata: { encoding: 'anNvbi9wbGFpbg==' }, data: 'ImEi' }]
  const encoded = await ask('/encode', { method: 'POST', headers, body: JSON.stringify({ payloads }) })
  const inner = (await encoded.json()) as { payloads: JsonPayload[] }
  expect(inner.payloads).not.toEqual(payloads)
  expect(await (await decode(inner.payloads, headers.authorization)).json()).toEqual({ payloads })
  expect((await ask('/decode', { method: 'POST', headers, body: '{' })).status).toBe(400)
  const foreign = encryptedBy('nobody')
  const refused = await decode([foreign], headers.authorization)
  expect([refused.status, await refused.text()]).toEqual([422, expect.stringContaining('nobody')])
})

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const encryptedBy = (id: string): JsonPayload => ({
  metadata: { encoding: base64('binary/encrypted'), 'encryption-key-id': base64(id) },
  data: base64('whatever'),
})
