import { randomUUID } from 'node:crypto'
import { Sandbox } from 'e2b'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Session } from '../../src/index.ts'
import { type Holdfast, startHoldfast } from '../support/holdfast.ts'

let holdfast: Holdfast
beforeAll(async () => {
  holdfast = await startHoldfast({ sandboxArgs: ['--faults'] })
  await holdfast.startWorker()
})
beforeEach(() => holdfast.sandboxes.faults.clear())
afterAll(() => holdfast.stop())

type Options = NonNullable<Parameters<Holdfast['jobs']['sessions']['open']>[1]>
const open = (options: Options = {}): Promise<Session> =>
  holdfast.jobs.sessions.open(`session-${randomUUID()}`, options)

const sandboxIds = async (): Promise<string[]> =>
  (await holdfast.listSandboxes()).map(({ sandboxId }) => sandboxId)

/** Asks, without effect, for as much as a run of a session's workflow takes. */
const untilNextRun = async (session: Session): Promise<void> => {
  const { runs } = await session.status()
  while ((await session.status()).runs === runs)
    await Promise.all([1, 2, 3, 4, 5].map(() => session.getInfo()))
}

const snapshotIds = async (): Promise<string[]> =>
  (await Sandbox.listSnapshots({ ...holdfast.sandboxes.connection }).nextItems()).map(
    ({ snapshotId }) => snapshotId,
  )

test('a session that is closed while it opens stays closed, and leaves no sandbox', async () => {
  const { faults } = holdfast.sandboxes
  await faults.arm({ kind: 'latency', ms: 5_000, to: 'control', method: 'POST', path: '/sandboxes$' })
  const session = await open()
  const run = session.run('true').catch((error: unknown) => error)
  await expect.poll(() => faults.fired()).toEqual([1])
  await session.close()
  expect(await run).toMatchObject({ type: 'SandboxClosed' })
  expect(await sandboxIds()).toEqual([])
})

test('a session whose sandbox somebody else has paused resumes it for a hold', async () => {
  const session = await open()
  const { sandboxId } = await session.getInfo()
  await session.run('true')
  await Sandbox.pause(sandboxId, holdfast.sandboxes.connection)
  expect(await session.hold({ ms: 1_000 })).toEqual({ sandboxId, state: 'running' })
  expect((await session.getInfo()).state).toBe('running')
  await session.close()
})

test('a fork and a snapshot that take longer than a run of the workflow are made once', async () => {
  const [forking, snapping] = await Promise.all([open({ turnAfter: 10 }), open({ turnAfter: 10 })])
  await Promise.all([forking.getInfo(), snapping.getInfo()])
  const [sandboxes, snapshots] = [await sandboxIds(), await snapshotIds()]
  const path = '/(fork|snapshots)$'
  await holdfast.sandboxes.faults.arm({ kind: 'latency', ms: 8_000, times: 2, method: 'POST', path })
  const fork = forking.perform('sandbox.fork', { count: 1 })
  const snapshot = snapping.perform('sandbox.createSnapshot', {})
  await expect.poll(() => holdfast.sandboxes.faults.fired()).toEqual([2])
  await Promise.all([untilNextRun(forking), untilNextRun(snapping)])
  const made = { sandboxes: (await fork).sandboxIds, snapshots: [(await snapshot).snapshotId] }
  expect(made).toEqual({
    sandboxes: (await sandboxIds()).filter((id) => !sandboxes.includes(id)),
    snapshots: (await snapshotIds()).filter((id) => !snapshots.includes(id)),
  })
  await Promise.all([forking.close(), snapping.close()])
})

test('what is done once has the same answer where it is asked for again in a later run of the workflow', async () => {
  const session = await open({ turnAfter: 10 })
  await session.files.writeFiles([
    { path: 'a', content: 'a' },
    { path: 'c', content: 'c' },
  ])
  const [forkId, ...ids] = Array.from({ length: 5 }, () => randomUUID())
  const ask = () =>
    Promise.all([
      session.perform('files.rename', { oldPath: 'a', newPath: 'b' }, { requestId: ids[0]! }),
      session.batch((s) => s.files.rename('c', 'd'), { requestId: ids[1]! }),
      session.perform('sandbox.fork', { count: 1 }, { requestId: ids[2]! }),
      session.fork(`fork-${forkId}`, { requestId: ids[3]! }).then(({ reference }) => reference),
    ])
  const first = await ask()
  const copy = holdfast.jobs.sessions.get(`fork-${forkId}`)
  await copy.getInfo()
  await untilNextRun(session)
  const [sandboxes, snapshots] = [await sandboxIds(), await snapshotIds()]
  expect(await ask()).toEqual(first)
  expect([await sandboxIds(), await snapshotIds()]).toEqual([sandboxes, snapshots])
  await Promise.all([session.close(), copy.close()])
})

test('a snapshot of a name that is in use has what is there now, also where the first attempt failed', async () => {
  const session = await open()
  const name = `nightly-${randomUUID()}`
  await session.files.write('day', 'yesterday')
  await session.snapshot(name)
  await session.files.write('day', 'today')
  await holdfast.sandboxes.faults.arm({ kind: 'answer', status: 503, method: 'POST', path: '/snapshots$' })
  const { snapshotId } = await session.snapshot(name)
  const restored = await open({ sandbox: { template: snapshotId } })
  expect(await restored.files.read('day')).toBe('today')
  await Promise.all([session.close(), restored.close()])
})

test('a snapshot without a name whose answer was lost is made once', async () => {
  const session = await open()
  await session.getInfo()
  const before = await snapshotIds()
  await holdfast.sandboxes.faults.arm({ kind: 'loseReply', method: 'POST', path: '/snapshots$' })
  const { snapshotId } = await session.perform('sandbox.createSnapshot', {})
  expect((await snapshotIds()).filter((id) => !before.includes(id))).toEqual([snapshotId])
  await session.close()
})

test('a fork whose first attempt failed gives none that an earlier one gave', async () => {
  const session = await open()
  const fork = async () => (await session.perform('sandbox.fork', { count: 1 })).sandboxIds
  const first = await fork()
  await holdfast.sandboxes.faults.arm({ kind: 'answer', status: 503, method: 'POST', path: '/fork$' })
  const second = await fork()
  await holdfast.sandboxes.faults.arm({ kind: 'loseReply', method: 'POST', path: '/fork$' })
  const third = await fork()
  expect(new Set([...first, ...second, ...third]).size).toBe(3)
  const own = (await holdfast.listSandboxes()).filter(
    ({ metadata }) => metadata.holdfastWorkflowId === session.id,
  )
  expect(own).toHaveLength(4)
  await session.close()
})

test('a fork whose id is in use is a conflict, and leaves no snapshot', async () => {
  const [session, other] = await Promise.all([open(), open()])
  await expect(session.fork(other.id)).rejects.toMatchObject({ type: 'SpecConflict' })
  expect((await snapshotIds()).filter((id) => id.includes(other.id))).toEqual([])
  expect((await other.run('echo on')).stdout).toBe('on\n')
  await Promise.all([session.close(), other.close()])
})
