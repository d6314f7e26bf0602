import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AgentJobInput, HoldfastError, Job } from '../../src/index.ts'
import { allEvents, eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'

let holdfast: Holdfast
/** Jobs that reach a limit take their time: all run at once. */
let limited: Record<'sandboxTime' | 'costUsd' | 'waiting', Job>
beforeAll(async () => {
  holdfast = await startHoldfast()
  // A GiB for a dollar a second: then money is as quick as time.
  await holdfast.startWorker({ HOLDFAST_PRICE_GIB_SECOND: '1', HOLDFAST_PRICE_VCPU_SECOND: '0' })
  const steps = [{ run: 'echo made >made; echo $$ >~/pid; echo begun; exec sleep 600' }]
  const submit = async (changes: Partial<AgentJobInput>): Promise<Job> =>
    holdfast.jobs.submit(await holdfast.spec(changes))
  limited = {
    sandboxTime: await submit({ steps, limits: { sandboxTime: '12s' } }),
    costUsd: await submit({ steps, limits: { costUsd: 48 } }),
    waiting: await submit({
      steps: [{ write: 'made', content: 'x' }, { sleep: '1h' }],
      sandbox: { keep: 'never', pauseAfter: '2h' },
      limits: { sandboxTime: '6s' },
    }),
  }
})
afterAll(() => holdfast.stop())

const failureOf = (result: Promise<unknown>): Promise<HoldfastError> =>
  result.then(
    () => Promise.reject(new Error('the job did not fail')),
    (error: HoldfastError) => error,
  )

test('a job says what it has cost, at the prices of its worker, by actions that its history bears out', async () => {
  const spec = await holdfast.spec({
    steps: [{ write: 'made', content: 'x' }, { sleep: 200 }, { waitFor: 'ci', timeout: '1h' }],
    review: { required: true },
    limits: { sandboxTime: '1h', costUsd: 100_000 },
  })
  const begun = Date.now()
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'sandboxPaused')
  await job.notify('ci')
  await eventOf(job, 'reviewRequested')
  const { cost: before } = await job.status()
  await job.approve({ by: 'the test' })
  const { cost, sandbox } = await job.result()
  const [size] = sandbox.sizes
  expect(sandbox.sizes).toHaveLength(1)
  const gib = size!.memoryMb / 1024
  expect(cost.sandbox).toEqual({
    runningMs: sandbox.runningMs,
    pausedMs: sandbox.pausedMs,
    usd: expect.closeTo((sandbox.runningMs / 1000) * gib, 9) as number,
  })
  expect(cost.savedByPausingUsd).toBeCloseTo((sandbox.pausedMs / 1000) * gib, 9)
  expect(cost.usd).toBeCloseTo(cost.sandbox.usd + cost.temporal.actions * 0.000_05, 9)
  expect(cost.usd).toBeGreaterThan(before.usd)
  const events = await holdfast.historyOf(spec.id)
  const asked =
    /^(workflowExecution(Started|Signaled|UpdateAccepted)|activityTaskScheduled|timerStarted|upsertWorkflow)/
  const seen = events.filter((type) => asked.test(type)).length
  // Two activities at most run at once.
  const heartbeats = 2 * Math.ceil((Date.now() - begun) / 5_000)
  expect(cost.temporal.actions).toBeGreaterThanOrEqual(seen)
  // A timer that is begun and given up in one task, as where a slow worker hears of much at once, is in no history.
  const timers = events.filter((type) => type.startsWith('timerStarted')).length
  expect(cost.temporal.actions).toBeLessThanOrEqual(seen + heartbeats + timers)
})

test.each(['sandboxTime', 'costUsd'] as const)(
  'limits.%s ends a job in the middle of a command, and keeps what the command has made',
  async (name) => {
    const job = limited[name]
    const { type, message, report } = await failureOf(job.result())
    expect({ type, message }).toEqual({
      type: 'LimitReached',
      message: expect.stringContaining(`limits.${name}`) as string,
    })
    expect(report?.checkpoint).toHaveLength(1)
    const { state, sandboxId } = (await job.status()).sandbox
    expect({ state, sandboxId }).toEqual({ state: 'paused', sandboxId: report?.keptSandboxId })
    const [sandbox] = await holdfast.connectSandboxes(job.id)
    expect(await sandbox!.files.read('/home/user/repo/made')).toBe('made\n')
    const { stdout } = await sandbox!.commands.run(
      'kill -0 $(cat ~/pid) 2>/dev/null && echo alive || echo ended',
    )
    expect(stdout.trim()).toBe('ended')
    await sandbox!.kill()
  },
)

test('with keep "never" nothing is left of a job that reached its limit while it waited', async () => {
  const job = limited.waiting
  const { type, report } = await failureOf(job.result())
  expect({ type, kept: report?.keptSandboxId }).toEqual({ type: 'LimitReached', kept: undefined })
  expect((await allEvents(job)).map(({ type }) => type)).toContain('sandboxKilled')
  expect(await holdfast.connectSandboxes(job.id)).toEqual([])
})
