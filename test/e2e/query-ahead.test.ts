import { randomUUID } from 'node:crypto'
import { Connection } from '@temporalio/client'
import { msToTs } from '@temporalio/common'
import { tsToMs } from '@temporalio/common/lib/time.js'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { replay } from '../support/histories.ts'
import { end, eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'

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

/**
 * A job that waits for `first` on a worker that is dead, which Temporal doesn't know yet. From here on the test is that worker: what
 * comes to its own queue waits for it, a query for 5 s.
 */
async function jobOfDeadWorker() {
  const id = `job-${randomUUID()}`
  const steps = [
    { waitFor: 'first' },
    { waitFor: 'second' },
    { write: 'NOTES.md', content: 'made by a job\n' },
  ]
  const spec = await world.spec({ id, steps })
  await world.startWorker()
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
  for (const worker of world.workers) await end(worker, 'SIGKILL')

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
  return { job, take }
}

test('a query that is answered while a dead worker has the workflow task leaves a history that replays', async () => {
  const { job, take } = await jobOfDeadWorker()
  const taken = [take(), take()]
  const asked = job.status()
  await Promise.race(taken)
  await job.notify('first')
  await Promise.all(taken)
  expect(await asked).toMatchObject({ current: 'wait for second' })
  await job.notify('second')
  expect(await job.result()).toMatchObject({ outcome: 'completed' })

  const history = await world.workflows.getHandle(job.id).fetchHistory()
  expect(await replay([{ workflowId: job.id, history }])).toEqual([])
  const failures = history.events?.map((event) => event.workflowTaskFailedEventAttributes?.failure?.message)
  expect(failures?.filter(Boolean)).toEqual([expect.stringContaining('ahead of its history')])
}, 60_000)

test('a query that finds a signal whose workflow task waits for a dead worker is answered, and the signal has its time', async () => {
  const { job, take } = await jobOfDeadWorker()
  const taken = take()
  const asked = job.status()
  await taken
  await job.notify('first')
  expect(await asked).toMatchObject({ current: 'wait for second' })

  const { events = [] } = await world.workflows.getHandle(job.id).fetchHistory()
  const started = events?.findLast((event) => event.workflowTaskStartedEventAttributes)?.eventTime
  expect((await eventOf(job, 'stepFinished')).at).toBe(tsToMs(started))
  await job.notify('second')
  expect(await job.result()).toMatchObject({ outcome: 'completed' })
}, 60_000)
