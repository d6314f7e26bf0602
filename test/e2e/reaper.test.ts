import { Sandbox } from 'e2b'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'

let holdfast: Holdfast
beforeAll(async () => {
  holdfast = await startHoldfast()
  await holdfast.startWorker()
})
afterAll(() => holdfast.stop())

test('of all sandboxes only that of the terminated job is killed, and a dry run kills none', async () => {
  const waiting = await holdfast.jobs.submit(await holdfast.spec({ review: { required: true } }))
  const terminated = await holdfast.jobs.submit(await holdfast.spec({ review: { required: true } }))
  const failed = await holdfast.jobs.submit(await holdfast.spec({ checks: [{ run: 'false' }] }))
  await Promise.all([
    eventOf(waiting, 'reviewRequested'),
    eventOf(terminated, 'reviewRequested'),
    failed.result().catch(() => undefined),
  ])
  const foreign = await Sandbox.create({
    ...holdfast.sandboxes.connection,
    metadata: { holdfastOwner: 'somebody-else' },
  })
  const untagged = await Sandbox.create(holdfast.sandboxes.connection)
  await holdfast.terminate(terminated.id)
  const idOf = async (job: typeof waiting): Promise<string> =>
    (await holdfast.listSandboxes()).find(({ metadata }) => metadata.holdfastWorkflowId === job.id)
      ?.sandboxId ?? ''
  const [ofWaiting, ofTerminated, ofFailed] = [
    await idOf(waiting),
    await idOf(terminated),
    await idOf(failed),
  ]

  const { sandboxes, reaped } = await holdfast.jobs.sandboxes({ graceMs: 1 })
  expect(reaped).toBe(0)
  const fates = Object.fromEntries(
    sandboxes.map(({ sandboxId, fate, owner }) => [sandboxId, `${fate} ${owner}`]),
  )
  expect(fates).toEqual({
    [ofWaiting]: 'owned RUNNING',
    [ofTerminated]: 'reap TERMINATED',
    [ofFailed]: 'kept FAILED',
  })

  // Within its grace even an orphan is left alone.
  expect((await holdfast.jobs.sandboxes({ reap: true })).reaped).toBe(0)
  expect((await holdfast.jobs.sandboxes({ reap: true, graceMs: 1 })).reaped).toBe(1)
  const left = (await holdfast.listSandboxes()).map(({ sandboxId }) => sandboxId)
  expect(left.toSorted()).toEqual([ofWaiting, ofFailed, foreign.sandboxId, untagged.sandboxId].toSorted())
  await waiting.reject({ by: 'the test' })
  await waiting.result()
})

test('a session that was terminated and opened anew leaves its first sandbox to the reaper', async () => {
  const { sessions } = holdfast.jobs
  const first = await sessions.open('opened-anew')
  const { sandboxId: lost } = await first.getInfo()
  await holdfast.terminate('opened-anew')
  const second = await sessions.open('opened-anew')
  const { sandboxId: used } = await second.getInfo()

  const { sandboxes } = await holdfast.jobs.sandboxes({ graceMs: 1 })
  const fates = Object.fromEntries(
    sandboxes.map(({ sandboxId, fate, owner }) => [sandboxId, `${fate} ${owner}`]),
  )
  expect(fates[lost]).toBe('reap TERMINATED')
  expect(fates[used]).toBe('owned RUNNING')
  await second.close()
  await holdfast.jobs.sandboxes({ reap: true, graceMs: 1 })
  expect((await holdfast.listSandboxes()).map(({ sandboxId }) => sandboxId)).not.toContain(lost)
})

test('a worker makes the schedule of the reaper, and the next worker finds it there', async () => {
  await holdfast.startWorker()
  const { action, spec } = await holdfast.describeSchedule(`sandbox-reaper-holdfast-${holdfast.taskQueue}`)
  expect(action).toMatchObject({ workflowType: 'sandboxReaper', taskQueue: holdfast.taskQueue })
  expect(spec.intervals).toMatchObject([{ every: 600_000 }])
})
