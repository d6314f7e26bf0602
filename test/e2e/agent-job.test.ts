import { afterAll, beforeAll, expect, test } from 'vitest'
import { HoldfastError } from '../../src/index.ts'
import { git } from '../../src/demo/git.ts'
import { allEvents, eventOf, type Holdfast, startHoldfast, untilPrinted } from '../support/holdfast.ts'

let holdfast: Holdfast
beforeAll(async () => {
  holdfast = await startHoldfast({ sandboxArgs: ['--faults'] })
  await holdfast.startWorker()
})
afterAll(() => holdfast.stop())

test('a reviewed job clones, edits, checks, pauses, resumes, commits and pushes once', async () => {
  const spec = await holdfast.spec({
    steps: [
      { write: 'src/new.js', content: 'export const made = true\n' },
      { run: 'echo "$PWD" && git status --short' },
    ],
    checks: [{ run: 'test -f src/new.js', name: 'the file is there' }],
    review: { required: true },
    commit: { message: 'Add a module', author: { name: 'Holdfast Test', email: 'test@holdfast.invalid' } },
  })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  const status = await job.status()
  expect(status).toMatchObject({
    phase: 'review',
    waitingFor: { kind: 'review' },
    sandbox: { state: 'paused' },
  })
  expect((await job.diff())?.text).toContain('+export const made = true')
  await job.approve({ by: 'the test' })
  const result = await job.result()
  expect(result).toMatchObject({
    outcome: 'completed',
    review: { decision: 'approve', by: 'the test' },
    diff: { files: 1, insertions: 1, deletions: 0 },
    checks: [{ name: 'the file is there', exitCode: 0 }],
    sandbox: { state: 'killed', pauses: 1, resumes: 1 },
  })
  expect(result.sandbox.pausedMs).toBeGreaterThan(0)
  expect(result.sandbox.runningMs).toBeGreaterThan(0)
  const repository = holdfast.repository(spec.repo.url)
  expect(result.remoteHead).toBe(result.commit)
  expect(await repository.head('holdfast/work')).toBe(result.commit)
  expect(await repository.show(`${result.commit}:src/new.js`)).toBe('export const made = true')
  expect(
    await repository.log('holdfast/work', '%an <%ae>|%s|%(trailers:key=Holdfast-Job,valueonly)'),
  ).toContain(`Holdfast Test <test@holdfast.invalid>|Add a module|${spec.id}/${status.firstRunId}`)
  const phases = (await allEvents(job)).flatMap((event) => (event.type === 'phase' ? [event.phase] : []))
  expect(phases).toEqual([
    'prepare',
    'clone',
    'steps',
    'checks',
    'review',
    'commit',
    'push',
    'cleanUp',
    'done',
  ])
  expect(await holdfast.listSandboxes()).toEqual([])
})

test('events are numbered without gaps and can be resumed from any number', async () => {
  const job = await holdfast.jobs.submit(await holdfast.spec())
  const events = await allEvents(job)
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index))
  const rest = []
  for await (const event of job.events({ from: 3 })) rest.push(event)
  expect(rest).toEqual(events.slice(3))
})

test('the same spec submitted twice is one job, another spec under its id is refused', async () => {
  const spec = await holdfast.spec()
  const [first, second] = await Promise.all([holdfast.jobs.submit(spec), holdfast.jobs.submit({ ...spec })])
  expect(second.runId).toBe(first.runId)
  await first.result()
  expect((await holdfast.jobs.submit(spec)).runId).toBe(first.runId)
  await expect(holdfast.jobs.submit({ ...spec, branch: 'other' })).rejects.toMatchObject({
    type: 'SpecConflict',
  })
})

test('a request for changes runs the given steps with the feedback and asks again', async () => {
  const spec = await holdfast.spec({ review: { required: true } })
  const job = await holdfast.jobs.submit(spec)
  const asked = await eventOf(job, 'reviewRequested')
  await job.requestChanges({
    by: 'the test',
    feedback: 'say more',
    steps: [{ run: 'printf "%s in round %s\\n" "$HOLDFAST_FEEDBACK" "$HOLDFAST_ROUND" >>NOTES.md' }],
  })
  await eventOf(job, 'reviewRequested', asked.seq + 1)
  expect((await job.diff())?.text).toContain('+say more in round 2')
  await job.approve({ by: 'the test' })
  const result = await job.result()
  expect(result.sandbox).toMatchObject({ pauses: 2, resumes: 2 })
  const repository = holdfast.repository(spec.repo.url)
  expect(await repository.show(`${result.commit}:NOTES.md`)).toBe('made by a job\nsay more in round 2')
})

test('a rejected job pushes nothing and ends as rejected', async () => {
  const spec = await holdfast.spec({ review: { required: true } })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  await job.reject({ by: 'the test', reason: 'no' })
  expect(await job.result()).toMatchObject({
    outcome: 'rejected',
    commit: null,
    sandbox: { state: 'killed', resumes: 0 },
  })
  expect(await holdfast.repository(spec.repo.url).head('holdfast/work')).toBeUndefined()
})

test.each([
  ['reject', 'rejected'],
  ['approve', 'completed'],
] as const)('a review that nobody answers ends by onTimeout: %s', async (onTimeout, outcome) => {
  const job = await holdfast.jobs.submit(await holdfast.spec({ review: { timeout: 300, onTimeout } }))
  expect(await job.result()).toMatchObject({ outcome, review: { by: 'timeout' } })
})

test('an answer is refused while no review is asked for, and without a name', async () => {
  const job = await holdfast.jobs.submit(await holdfast.spec({ review: { required: true } }))
  await expect(job.approve({ by: 'early' })).rejects.toMatchObject({ type: 'NotWaitingForReview' })
  await eventOf(job, 'reviewRequested')
  await expect(job.approve({ by: '' })).rejects.toMatchObject({ type: 'InvalidSpec' })
  await expect(job.requestChanges({ by: 'x', feedback: '' })).rejects.toBeInstanceOf(HoldfastError)
  await job.reject({ by: 'the test' })
  await job.result()
})

test.each([
  ['without limits', {}],
  ['with limits', { limits: { sandboxTime: '1h' } }],
])('cancelled in the middle of a command, a job %s ends its command and its sandbox', async (_, limits) => {
  const steps = [{ run: 'echo begun; sleep 600' }]
  const job = await holdfast.jobs.submit(await holdfast.spec({ steps, ...limits }))
  await untilPrinted(job, 'begun')
  await job.cancel()
  await expect(job.result()).rejects.toMatchObject({ type: 'JobCancelled' })
  expect((await allEvents(job)).map(({ type }) => type)).toEqual(
    expect.arrayContaining(['cancelled', 'sandboxKilled']),
  )
})

test('cancelled while its sandbox is being made, a job leaves none behind', async () => {
  const { faults } = holdfast.sandboxes
  await faults.arm({ kind: 'latency', ms: 120_000, to: 'control', path: '/sandboxes$' })
  const job = await holdfast.jobs.submit(await holdfast.spec())
  await expect.poll(() => faults.fired()).toEqual([1])
  await job.cancel()
  await expect
    .poll(async () => holdfast.historyOf(job.id))
    .toContain('workflowExecutionCancelRequestedEventAttributes')
  await faults.clear()
  await expect(job.result()).rejects.toMatchObject({ type: 'JobCancelled' })
  const events = (await allEvents(job)).map(({ type }) => type)
  expect(events).toEqual(expect.arrayContaining(['cancelled', 'sandboxCreated', 'sandboxKilled']))
})

test('cancelled while it waits for a review, a job kills its paused sandbox', async () => {
  const job = await holdfast.jobs.submit(await holdfast.spec({ review: { required: true } }))
  await eventOf(job, 'reviewRequested')
  const { faults } = holdfast.sandboxes
  await faults.arm({ kind: 'latency', ms: 120_000, to: 'control', path: `/sandboxes/[a-z0-9]+$` })
  await job.cancel()
  await expect.poll(() => faults.fired()).toEqual([1])
  // It is too late for an answer.
  await expect(job.approve({ by: 'the test' })).rejects.toMatchObject({ type: 'NotWaitingForReview' })
  await faults.clear()
  await expect(job.result()).rejects.toMatchObject({ type: 'JobCancelled' })
  expect((await job.status()).sandbox.state).toBe('killed')
})

test('a job that nobody submitted is not found', async () => {
  await expect(holdfast.jobs.get('nobody-made-this').status()).rejects.toMatchObject({ type: 'JobNotFound' })
})

test('an invalid spec is refused with its fields before anything is started', async () => {
  const spec = await holdfast.spec({ branch: '-x', steps: [] })
  await expect(holdfast.jobs.submit(spec)).rejects.toMatchObject({
    type: 'InvalidSpec',
    problems: [{ field: 'branch' }, { field: 'steps' }],
  })
  await expect(holdfast.jobs.get(spec.id).status()).rejects.toMatchObject({ type: 'JobNotFound' })
})

/** Leaves a process running. */
const leaving = (script: string) => ({ run: `setsid bash -c '${script}' >/dev/null 2>&1 </dev/null &` })

test('what a process that a step left running writes after the approval is not committed, and no obstacle to the push', async () => {
  const afterTheVerification = `until [ -e /tmp/go ]; do sleep 0.02; done
ended() { set -- ~/.holdfast/commands/*/exit; n=$#; }
ended; before=$n; touch /tmp/ready; until [ $n -gt $before ]; do ended; done
echo late >late.txt; echo late >>README.md`
  const spec = await holdfast.spec({
    steps: [leaving(afterTheVerification), { write: 'NOTES.md', content: 'made by a job\n' }],
    review: {},
    push: { onConflict: 'rebase' },
    sandbox: { keep: 'always' },
  })
  const repository = holdfast.repository(spec.repo.url)
  await repository.commitFile(spec.branch, 'OTHER.md', 'not by this job\n')
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  const [inside] = await holdfast.connectSandboxes(job.id)
  await inside!.files.write('/tmp/go', '')
  await expect.poll(() => inside!.files.exists('/tmp/ready')).toBe(true)
  await job.approve({ by: 'the test' })
  const { commit } = await job.result()
  const changed = await git(repository.path, ['diff', '--name-only', 'main', commit!])
  expect(changed.split('\n')).toEqual(['NOTES.md', 'OTHER.md'])
  const [kept] = await holdfast.connectSandboxes(job.id)
  expect(await kept!.files.read('/home/user/repo/late.txt')).toBe('late\n')
  expect(await kept!.files.read('/home/user/repo/README.md')).toMatch(/late\n$/)
})

test('what was approved and is lost with its sandbox is not replaced by other work: a review is asked for again', async () => {
  const spec = await holdfast.spec({
    steps: [leaving('while true; do echo $((++n)) >tick; sleep 0.01; done'), { write: 'tick', content: '0' }],
    review: {},
  })
  const job = await holdfast.jobs.submit(spec)
  const { seq } = await eventOf(job, 'reviewRequested')
  // With its files changed all the time, the sandbox can't be verified when it is resumed, and its checkpoint is another look.
  await job.approve({ by: 'the test' })
  await eventOf(job, 'reviewRequested', seq + 1)
  const { text } = (await job.diff())!
  await job.approve({ by: 'the test' })
  const { commit } = await job.result()
  const committed = await holdfast.repository(spec.repo.url).show(`${commit}:tick`)
  expect(text).toContain(`\n+${committed}\n`)
})

test('started by any Temporal client with a spec as people write it, a job parses it itself', async () => {
  const spec = await holdfast.spec({ steps: [{ run: 'echo x >x', timeout: '1m' }] })
  const job = await holdfast.startUnchecked(spec.id, spec)
  expect(await job.result()).toMatchObject({ outcome: 'completed' })
})

test('started by any Temporal client with what is no spec, a job fails before it makes a sandbox', async () => {
  const job = await holdfast.startUnchecked('no-spec-of-ours', { id: 'x', steps: 'none' })
  await expect(job.result()).rejects.toMatchObject({
    type: 'InvalidSpec',
    message: expect.stringContaining('repo: is missing'),
  })
  expect((await allEvents(job)).map(({ type }) => type)).not.toContain('sandboxCreated')
})

test('steps that come with a request for changes from the Temporal UI are checked before they run', async () => {
  const job = await holdfast.jobs.submit(await holdfast.spec({ review: { required: true } }))
  await eventOf(job, 'reviewRequested')
  const change = (steps: unknown[]) =>
    holdfast.updateUnchecked(job.id, 'requestChanges', { by: 'ui', feedback: 'x', steps })
  await expect(change([{ run: 7 }])).rejects.toMatchObject({
    cause: { type: 'InvalidSpec', message: expect.stringContaining('steps[0].run') },
  })
  await change([{ write: 'MORE.md', content: 'more' }])
  await eventOf(job, 'reviewRequested', (await eventOf(job, 'reviewAnswered')).seq)
  await job.reject({ by: 'ui' })
  expect((await job.result()).diff.files).toBe(2)
})
