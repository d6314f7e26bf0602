import { randomUUID } from 'node:crypto'
import { Connection } from '@temporalio/client'
import { msToTs } from '@temporalio/common'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { replay } from '../support/histories.ts'
import { end, type Holdfast, startHoldfast } from '../support/holdfast.ts'

let world: Holdfast
let connection: Connection
beforeAll(async () => {
  world = await startHoldfast()
  connection = await Connection.connect({ address: inject('temporalAddress') })
})
afterAll(async () => {
  await connection.close()
  await world.stop()
})

const namespace = 'default'
const identity = 'dead'

test('a query that is answered while a dead worker has the workflow task leaves a history that replays', async () => {
  const id = `job-${randomUUID()}`
  const steps = [
    { waitFor: 'first' },
    { waitFor: 'second' },
    { write: 'NOTES.md', content: 'made by a job\n' },
  ]
  const spec = await world.spec({ id, steps })
  const first = await world.startWorker()
  // Temporal gives a lost task up after its timeout.
  const handle = await world.workflows.start('agentJob', {
    workflowId: id,
    taskQueue: world.taskQueue,
    workflowTaskTimeout: '8s',
    args: [spec],
  })
  const job = world.jobs.get(id)
  await expect
    .poll(async () => (await world.historyOf(id)).at(-1), { timeout: 30_000 })
    .toBe('timerStartedEventAttributes')
  await end(first, 'SIGKILL')

  // From here on we are that worker, of whom Temporal doesn't know yet that it is dead: what comes to its own queue is not answered.
  const { events } = await handle.fetchHistory()
  const queues = (events ?? []).map((event) => event.workflowTaskScheduledEventAttributes?.taskQueue)
  const taskQueue = queues.findLast((queue) => queue && queue.name !== world.taskQueue)
  const service = connection.workflowService
  const take = () =>
    connection.withDeadline(Date.now() + 30_000, () =>
      service.pollWorkflowTaskQueue({ namespace, taskQueue, identity }),
    )
  // But for one task, to have queries wait 5 s for us and not 1.
  const [{ taskToken }] = await Promise.all([take(), job.notify('anything')])
  const stickyAttributes = { workerTaskQueue: taskQueue, scheduleToStartTimeout: msToTs('5s') }
  await service.respondWorkflowTaskCompleted({
    namespace,
    identity,
    taskToken,
    commands: [],
    stickyAttributes,
  })
  await world.startWorker()

  const taken = [take(), take()]
  const asked = job.status()
  await Promise.race(taken)
  await job.notify('first')
  await Promise.all(taken)
  expect(await asked).toMatchObject({ current: 'wait for second' })
  await job.notify('second')
  expect(await job.result()).toMatchObject({ outcome: 'completed' })

  const history = await handle.fetchHistory()
  expect(await replay([{ workflowId: id, history }])).toEqual([])
  const failures = history.events?.map((event) => event.workflowTaskFailedEventAttributes?.failure?.message)
  expect(failures?.filter(Boolean)).toEqual([expect.stringContaining('ahead of its history')])
}, 60_000)
