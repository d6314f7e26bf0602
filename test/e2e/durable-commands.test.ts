import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Job, OutputChunk, OutputPlace } from '../../src/index.ts'
import { end, eventOf, type Holdfast, startHoldfast, untilPrinted } from '../support/holdfast.ts'

let holdfast: Holdfast
beforeAll(async () => {
  // One command prints a secret.
  holdfast = await startHoldfast({ forgetKilled: true })
})
afterAll(() => holdfast.stop())

/** Counts its own runs in the repository, then prints a numbered line every tenth of a second. */
const counting = (lines: number): string =>
  `echo run >>runs.txt; for n in $(seq 1 ${lines}); do echo "line $n"; sleep 0.1; done`

const expectedLines = (lines: number): string =>
  Array.from({ length: lines }, (_, n) => `line ${n + 1}\n`).join('')

async function outputOfOnlyStep(job: Awaited<ReturnType<Holdfast['jobs']['submit']>>): Promise<string> {
  return (await eventOf(job, 'stepFinished')).output
}

/** What a client sees that follows the step from its beginning, and is disconnected after every chunk. */
async function liveText(job: Job): Promise<string> {
  let seen = ''
  let from: OutputPlace | undefined
  for (;;) {
    let last: OutputChunk | undefined
    for await (last of job.output({ step: 0, ...(from && { from }) })) break
    if (!last) return seen
    expect(last).toMatchObject({ stream: 'stdout', missedBytes: 0 })
    seen += last.text
    from = last.next
  }
}

test('a worker killed by SIGKILL in the middle of a 30 s command loses no line and runs nothing twice', async () => {
  const first = await holdfast.startWorker()
  const spec = await holdfast.spec({ steps: [{ run: counting(300), timeout: '5m' }] })
  const job = await holdfast.jobs.submit(spec)
  const live = liveText(job)
  await untilPrinted(job, 'line 20\n')
  await end(first, 'SIGKILL')
  const second = await holdfast.startWorker()
  const result = await job.result()
  expect(await outputOfOnlyStep(job)).toBe(expectedLines(300).slice(-2_000))
  expect(await live).toBe(expectedLines(300))
  expect((await job.status()).steps[0]).toMatchObject({ exitCode: 0 })
  expect((await job.status()).steps[0]?.ms).toBeGreaterThan(30_000)
  expect(await holdfast.repository(spec.repo.url).show(`${result.commit}:runs.txt`)).toBe('run')
  await end(second, 'SIGTERM')
})

test('a worker asked to stop hands its command over at once', async () => {
  const first = await holdfast.startWorker()
  const spec = await holdfast.spec({ steps: [{ run: counting(150) }] })
  const job = await holdfast.jobs.submit(spec)
  await untilPrinted(job, 'line 5\n')
  const begun = Date.now()
  await end(first, 'SIGTERM')
  expect(Date.now() - begun).toBeLessThan(10_000)
  const second = await holdfast.startWorker()
  const result = await job.result()
  expect(await outputOfOnlyStep(job)).toBe(expectedLines(150))
  expect(await holdfast.repository(spec.repo.url).show(`${result.commit}:runs.txt`)).toBe('run')
  await end(second, 'SIGTERM')
})

test('a secret of which one worker saw the beginning, and another one the rest, is not shown', async () => {
  const [half, rest] = [randomUUID(), randomUUID()]
  const secrets = { HOLDFAST_SECRET_IN_HALVES: half + rest }
  const first = await holdfast.startWorker(secrets)
  const until = (file: string): string => `until [ -e ~/${file} ]; do sleep 0.1; done`
  const run = `date >made; printf 'it is ${half}'; ${until('go')}; echo '${rest}, so it is'; ${until('end')}`
  const job = await holdfast.jobs.submit(await holdfast.spec({ steps: [{ run }] }))
  const live = liveText(job)
  await untilPrinted(job, 'it is ')
  await end(first, 'SIGTERM')
  const second = await holdfast.startWorker(secrets)
  const [sandbox] = await holdfast.connectSandboxes(job.id)
  await sandbox!.files.write('go', '')
  await untilPrinted(job, 'so it is')
  expect((await job.liveOutput())?.recent).toMatch(/^(it is )?\*\*\*, so it is\n?$/)
  await sandbox!.files.write('end', '')
  await job.result()
  expect(await live).toBe('it is ***, so it is\n')
  await end(second, 'SIGTERM')
})

test('a sandbox server killed by SIGKILL and started again loses no line of a running command', async () => {
  const worker = await holdfast.startWorker()
  const spec = await holdfast.spec({ steps: [{ run: counting(60) }] })
  const job = await holdfast.jobs.submit(spec)
  await untilPrinted(job, 'line 5\n')
  await holdfast.sandboxes.kill()
  await holdfast.sandboxes.restart()
  const result = await job.result()
  expect(await outputOfOnlyStep(job)).toBe(expectedLines(60))
  expect(await holdfast.repository(spec.repo.url).show(`${result.commit}:runs.txt`)).toBe('run')
  await end(worker, 'SIGTERM')
})

test('a command whose supervisor was killed ends the job as OutcomeUnknown and is not run again', async () => {
  const worker = await holdfast.startWorker()
  const run = 'echo run >>/home/user/runs.txt; echo begun; kill -KILL $PPID; sleep 1; kill -KILL $$'
  const job = await holdfast.jobs.submit(await holdfast.spec({ steps: [{ run }] }))
  await expect(job.result()).rejects.toMatchObject({ type: 'OutcomeUnknown' })
  await end(worker, 'SIGTERM')
})
