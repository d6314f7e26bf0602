import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SANDBOX_OPERATION_NAMES } from '../../src/contract/operations/table.ts'
import { startWorld } from '../support/operation-world.ts'

let world: Awaited<ReturnType<typeof startWorld>>
// The first time on a machine this downloads the packages of the kernels.
beforeAll(async () => {
  world = await startWorld()
}, 300_000)
afterAll(() => world?.holdfast.stop())

test.each(SANDBOX_OPERATION_NAMES)('%s through a workflow does what it does in E2B', async (name) => {
  const { perform, check, session } = await world.prepare(name)
  await check(await perform())
  await session.close()
})

test('what code prints arrives while it runs', async () => {
  const session = await world.holdfast.jobs.sessions.open(`session-${randomUUID()}`)
  const untilGo =
    'import os, time\nprint("begun")\nwhile not os.path.exists("go"): time.sleep(0.05)\nprint("end")'
  let heard = ''
  const run = session.runCode(untilGo, { onStdout: (text) => (heard += text) })
  await expect.poll(() => heard).toBe('begun\n')
  await session.files.write('go', '')
  expect((await run).stdout).toBe('begun\nend\n')
  expect(heard).toBe('begun\nend\n')
  await session.close()
})

test('closing a session stops the code that runs in it', async () => {
  const session = await world.holdfast.jobs.sessions.open(`session-${randomUUID()}`)
  const run = session.runCode('open("begun", "w").close()\nimport time; time.sleep(300)', {
    timeoutMs: 300_000,
  })
  const outcome = run.catch((error: unknown) => error)
  await expect.poll(() => session.files.exists('begun')).toBe(true)
  await session.close()
  expect(await outcome).toMatchObject({ type: 'SandboxClosed' })
})

test("code, and a watch, that take longer than the sandbox's timeout are not paused under", async () => {
  const asked = { sandbox: { timeout: '12s' } }
  const open = () => world.holdfast.jobs.sessions.open(`session-${randomUUID()}`, asked)
  const [coding, watching] = await Promise.all([open(), open()])
  const [code] = await Promise.all([
    coding.runCode('import time; time.sleep(16); print("end")'),
    watching.files.watchDir('.', { timeoutMs: 16_000 }),
  ])
  expect(code.stdout).toBe('end\n')
  const { events } = await world.holdfast.workflows.getHandle(watching.id).fetchHistory()
  const attempts = events?.flatMap((event) => event.activityTaskStartedEventAttributes?.attempt ?? [])
  expect(new Set(attempts)).toEqual(new Set([1]))
  await Promise.all([coding.close(), watching.close()])
})
