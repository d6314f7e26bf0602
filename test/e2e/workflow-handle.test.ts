import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { Client, Connection } from '@temporalio/client'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { end, type Holdfast, startHoldfast } from '../support/holdfast.ts'

const HOLDFAST_WORKFLOWS = fileURLToPath(new URL('../support/workflows.ts', import.meta.url))

let holdfast: Holdfast
let client: Client
beforeAll(async () => {
  holdfast = await startHoldfast()
  client = new Client({ connection: await Connection.connect({ address: inject('temporalAddress') }) })
  await holdfast.startWorker({ HOLDFAST_WORKFLOWS })
})
afterAll(async () => {
  await client?.connection.close()
  await holdfast?.stop()
})

const execute = <T = unknown>(workflow: string, ...args: unknown[]): Promise<T> =>
  client.workflow.execute(workflow, { workflowId: randomUUID(), taskQueue: holdfast.taskQueue, args })

test('a workflow of one’s own uses a sandbox as it would by E2B’s SDK', async () => {
  expect(await execute('sandboxLife', randomUUID())).toEqual({
    greeting: [3, 'hello\n'],
    seen: ['b.txt'],
    listed: ['paused'],
    killed: true,
    snapshot: expect.any(String),
    copy: 'one',
    written: 'one',
  })
})

test('a workflow attaches to a session, and its worker’s death does nothing twice', async () => {
  const session = await holdfast.jobs.sessions.open(`session-${randomUUID()}`)
  const result = execute('attached', session.reference)
  await expect.poll(async () => (await session.status()).inUse).toBe(1)
  const [worker] = holdfast.workers
  await end(worker!, 'SIGKILL')
  await holdfast.startWorker({ HOLDFAST_WORKFLOWS })
  expect(await result).toBe('from a workflow\n')
  await session.close()
})

test('templates and snapshots of the account are built, listed page by page and deleted', async () => {
  const name = `built-${randomUUID()}`
  const { snapshotIds, listed, ...seen } = await execute<{ snapshotIds: string[]; listed: string[][] }>(
    'accountLife',
    name,
  )
  expect(seen).toEqual({
    before: false,
    built: { templateId: expect.any(String), buildId: expect.any(String) },
    after: true,
    made: 'built\n',
    deleted: [true, true, false],
    left: [],
  })
  expect(listed.map(({ length }) => length)).toEqual([1, 1])
  expect(listed.flat().sort()).toEqual(snapshotIds.toSorted())
})

test('a sandbox without public traffic answers who has its token, and hears the host that masks it', async () => {
  const { host, trafficAccessToken } = await execute<{ host: string; trafficAccessToken: string }>(
    'privateHost',
    8000,
  )
  const ask = async (headers: Record<string, string>): Promise<string> => {
    const call = request(holdfast.sandboxes.sandboxUrl, { headers: { host, ...headers } }).end()
    const [answer] = (await once(call, 'response')) as [IncomingMessage]
    return `${answer.statusCode} ${await text(answer)}`
  }
  expect(await ask({})).toMatch(/^403 /)
  expect(await ask({ 'e2b-traffic-access-token': 'another' })).toMatch(/^403 /)
  expect(await ask({ 'e2b-traffic-access-token': trafficAccessToken })).toBe('200 app-8000.example')
})
