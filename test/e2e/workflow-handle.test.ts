import { randomUUID } from 'node:crypto'
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

const execute = (workflow: string, ...args: unknown[]): Promise<unknown> =>
  client.workflow.execute(workflow, { workflowId: randomUUID(), taskQueue: holdfast.taskQueue, args })

test('a workflow of one’s own uses a sandbox as it would by E2B’s SDK', async () => {
  expect(await execute('sandboxLife', randomUUID())).toEqual({
    greeting: [3, 'hello\n'],
    seen: ['b.txt'],
    listed: ['paused'],
    killed: true,
    snapshot: expect.any(String),
    copy: 'one',
  })
})

test('a workflow attaches to a session, and its worker’s death does nothing twice', async () => {
  const session = await holdfast.jobs.sessions.open(`session-${randomUUID()}`)
  const result = execute('attached', session.reference)
  await expect.poll(async () => (await session.status()).inUse, { timeout: 10_000 }).toBe(1)
  const [worker] = holdfast.workers
  await end(worker!, 'SIGKILL')
  await holdfast.startWorker({ HOLDFAST_WORKFLOWS })
  expect(await result).toBe('from a workflow\n')
  await session.close()
})
