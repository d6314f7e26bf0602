import { Connection } from '@temporalio/client'
import { msToTs } from '@temporalio/common'
import { tsToMs } from '@temporalio/common/lib/time.js'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type { AgentJobInput, Job } from '../../src/index.ts'
import { replay } from '../support/histories.ts'
import { end, eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'

let world: Holdfast
let connection: Connection
beforeAll(async () => {
  world = await startHoldfast({ sandboxArgs: ['--faults'] })
  connection = await Connection.connect({ address: inject('temporalAddress') })
})
afterAll(async () => {
  await connection.close()
  await world.stop()
})

const namespace = 'default'
const identity = 'dead'

const killWorkers = () => Promise.all(world.workers.map((worker) => end(worker, 'SIGKILL')))

/** A job that waits for `first` on a worker that is dead, which Temporal doesn't know yet; and what takes that worker's tasks. */
async function jobOfDeadWorker() {
  const steps = [
    { waitFor: 'first' },
    { waitFor: 'second' },
    { write: 'NOTES.md', content: 'made by a job\n' },
  ]
  await world.startWorker()
  const job = await start(await world.spec({ steps }))
  await expect.poll(async () => (await world.historyOf(job.id)).at(-1)).toBe('timerStartedEventAttributes')
  await killWorkers()
  const take = await takeOver(job)
  await world.startWorker()
  return { job, take }
}

/** Temporal gives a lost task of the job up after 20 s, well behind what `takeOver` has a query wait. */
async function start(spec: AgentJobInput & { id: string }): Promise<Job> {
  await world.workflows.start('agentJob', {
    workflowId: spec.id,
    taskQueue: world.taskQueue,
    workflowTaskTimeout: '20s',
    args: [spec],
  })
  return world.jobs.get(spec.id)
}

/** From here on the test is the job's dead worker: what comes to its own queue waits for it, a query for 10 s. @returns what takes it */
async function takeOver(job: Job) {
  const { events } = await world.workflows.getHandle(job.id).fetchHistory()
  const queues = (events ?? []).map((event) => event.workflowTaskScheduledEventAttributes?.taskQueue)
  const taskQueue = queues.findLast((queue) => queue && queue.name !== world.taskQueue)
  const service = connection.workflowService
  const take = () =>
    connection.withDeadline(Date.now() + 30_000, () =>
      service.pollWorkflowTaskQueue({ namespace, taskQueue, identity }),
    )
  // But for one task, to have queries wait 10 s for us and not 1.
  const [{ taskToken }] = await Promise.all([take(), job.notify('anything')])
  const stickyAttributes = { workerTaskQueue: taskQueue, scheduleToStartTimeout: msToTs('10s') }
  await service.respondWorkflowTaskCompleted({
    namespace,
    identity,
    taskToken,
    commands: [],
    stickyAttributes,
  })
  return take
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
})

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
})

test('an answer to a review that only a query knows of is taken when Temporal knows of it too', async () => {
  const pause = { kind: 'latency', to: 'control', path: '/pause$' } as const
  const spec = await world.spec({ review: {}, sandbox: { keep: 'never', timeout: 120_000 } })
  await world.startWorker()
  const job = await start(spec)
  // Its worker dies in the pause before the review.
  await world.sandboxes.faults.arm({ ...pause, ms: 120_000 })
  await expect.poll(() => world.sandboxes.faults.fired()).toEqual([1])
  await killWorkers()
  const take = await takeOver(job)
  await world.sandboxes.faults.clear()
  // A query is under way when the next worker has paused it.
  await world.sandboxes.faults.arm({ ...pause, ms: 120_000 })
  await world.startWorker()
  await expect.poll(() => world.sandboxes.faults.fired()).toEqual([1])
  const taken = [take(), take()]
  const asked = job.status()
  await Promise.race(taken)
  await world.sandboxes.faults.clear()
  await Promise.all(taken)
  expect(await asked).toMatchObject({ phase: 'review', waitingFor: { kind: 'review' } })
  expect((await world.historyOf(job.id)).at(-1)).toBe('workflowTaskStartedEventAttributes')
  await job.approve({ by: 'a reviewer' })
  expect(await job.result()).toMatchObject({ outcome: 'completed' })
})
