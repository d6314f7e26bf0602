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
