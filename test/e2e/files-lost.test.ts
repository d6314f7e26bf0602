import { Sandbox } from 'e2b'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EffectCounter, startEffectCounter } from '../chaos/effects.ts'
import { allEvents, end, eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'

let holdfast: Holdfast
let counter: EffectCounter
beforeAll(async () => {
  counter = await startEffectCounter()
  holdfast = await startHoldfast({
    sandboxArgs: ['--faults', '--allow-host-loopback', `127.0.0.1:${counter.port}`],
  })
})
afterAll(async () => {
  await holdfast.stop()
  await counter.stop()
})

/** A command that tells the counter that it runs, and goes on for a while. */
const counted = (name: string, seconds = 0) => ({
  name,
  run: `curl -sf "http://127.0.0.1:${counter.port}/job/${name}/$(cat /proc/sys/kernel/random/uuid)/$E2B_SANDBOX_ID"; sleep ${seconds}`,
})
const runsOf = (name: string) => counter.effects().filter(({ command }) => command === name)

test('a command whose sandbox paused itself under it, and came back without the files of its run, is not begun there again', async () => {
  const worker = await holdfast.startWorker()
  const { connection, faults } = holdfast.sandboxes
  const spec = await holdfast.spec({
    steps: [counted('first'), { waitFor: 'ci' }, counted('second', 4), { write: 'NOTES.md', content: 'x' }],
    sandbox: { pauseAfter: 1_000, timeout: '6s' },
  })
  // Its first resume is the job's own; the second one brings back the home as it was at the first pause.
  await faults.arm({ kind: 'loseFiles', skip: 1 })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'sandboxPaused')
  await job.notify('ci')
  await expect.poll(() => runsOf('second').length).toBe(1)
  await end(worker, 'SIGKILL')
  const { sandboxId } = runsOf('second')[0]!
  await expect.poll(async () => (await Sandbox.getInfo(sandboxId, connection)).state).toBe('paused')
  await holdfast.startWorker()
  const { commit } = await job.result()
  expect(commit).not.toBeNull()
  const places = runsOf('second').map((run) => run.sandboxId)
  expect(places).toHaveLength(2)
  expect(new Set(places).size).toBe(2)
  expect((await allEvents(job)).find(({ type }) => type === 'sandboxLost')).toMatchObject({
    sandboxId,
    failure: { type: 'SandboxDiverged' },
  })
})

test('a command that must never run twice, whose sandbox is gone before its work was saved, ends the job as OutcomeUnknown', async () => {
  await holdfast.startWorker()
  const steps = [{ ...counted('once', 2), rerun: 'never' as const }]
  const job = await holdfast.jobs.submit(await holdfast.spec({ steps }))
  await expect.poll(() => runsOf('once').length).toBe(1)
  // The next one who comes wants to save the work.
  await holdfast.sandboxes.faults.arm({ kind: 'killSandbox', to: 'control', path: '/connect$' })
  await expect(job.result()).rejects.toMatchObject({ type: 'OutcomeUnknown' })
  expect(runsOf('once')).toHaveLength(1)
})
