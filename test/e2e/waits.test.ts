import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { Sandbox, type SandboxInfo } from 'e2b'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { REPOSITORY } from '../../src/activities/lib/deps.ts'
import type { Job } from '../../src/index.ts'
import { allEvents, eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'

let holdfast: Holdfast
beforeAll(async () => {
  holdfast = await startHoldfast()
  await holdfast.startWorker()
})
afterAll(() => holdfast.stop())

const sandboxesOf = (job: Job): Promise<SandboxInfo[]> =>
  Sandbox.list({
    ...holdfast.sandboxes.connection,
    query: { metadata: { holdfastWorkflowId: job.id } },
  }).nextItems()

/** Each is an action that costs. */
async function tellOften(job: Job, times: number): Promise<void> {
  for (let n = 0; n < times; n++) await job.notify(`other ${n}`)
}

test('a job that waits for a notification is paused meanwhile, and goes on with its processes when it comes', async () => {
  const spec = await holdfast.spec({
    steps: [
      { run: '(sleep 600 & echo $! >~/pid)' },
      { waitFor: 'ci-green', timeout: '1h' },
      { run: 'kill -0 $(cat ~/pid) && echo alive >proof' },
    ],
  })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'sandboxPaused')
  expect(await job.status()).toMatchObject({
    sandbox: { state: 'paused' },
    waitingFor: { kind: 'notification', name: 'ci-green', answerWith: `holdfast notify ${spec.id} ci-green` },
  })
  await job.notify('something else')
  await job.notify('ci-green')
  const { commit, sandbox } = await job.result()
  expect(sandbox).toMatchObject({ pauses: 1, resumes: 1 })
  expect(await holdfast.repository(spec.repo.url).show(`${commit}:proof`)).toBe('alive')
})

test('a job that begins by waiting has no sandbox until it is told; in a further round it waits with it', async () => {
  const spec = await holdfast.spec({
    steps: [{ waitFor: 'go', timeout: '1h' }, { sleep: 50 }, { write: 'NOTES.md', content: 'x\n' }],
    review: { required: true },
  })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'waitBegan')
  expect(await job.status()).toMatchObject({
    phase: 'prepare',
    current: 'wait for go',
    waitingFor: { kind: 'notification', name: 'go', answerWith: `holdfast notify ${spec.id} go` },
    sandbox: { sandboxId: null, state: 'none' },
  })
  expect(await sandboxesOf(job)).toEqual([])
  // What comes to the base meanwhile is in the work.
  await holdfast.repository(spec.repo.url).commitFile('main', 'MEANWHILE.md', 'from elsewhere\n')
  await job.notify('go')
  const { seq } = await eventOf(job, 'reviewRequested')
  await job.requestChanges({ by: 'the test', feedback: 'once more' })
  await eventOf(job, 'waitBegan', seq)
  expect(await sandboxesOf(job)).toHaveLength(1)
  await job.notify('go')
  await eventOf(job, 'reviewRequested', seq + 1)
  await job.approve({ by: 'the test' })
  const { commit, sandbox } = await job.result()
  expect(await holdfast.repository(spec.repo.url).show(`${commit}:MEANWHILE.md`)).toBe('from elsewhere')
  expect(sandbox).toMatchObject({ pauses: 2 })
  const { steps } = await job.status()
  expect(steps.map(({ step, kind, round }) => `${step} ${kind} ${round}`)).toEqual([
    '0 waitFor 1',
    '1 sleep 1',
    '2 write 1',
    '3 waitFor 2',
    '4 sleep 2',
    '5 write 2',
  ])
})

test.each([
  ['is cancelled', '1h', (job: Job) => job.cancel(), 'JobCancelled'],
  ['is told by another name only', '1s', (job: Job) => job.notify('other'), 'StepFailed'],
  ['has cost what it may', '1h', (job: Job) => tellOften(job, 5), 'LimitReached'],
] as const)('a job that begins by waiting and %s makes no sandbox', async (_, timeout, then, type) => {
  const steps = [{ waitFor: 'go', timeout }, { run: 'true' }]
  const job = await holdfast.jobs.submit(await holdfast.spec({ steps, limits: { costUsd: 0.000_35 } }))
  await eventOf(job, 'waitBegan')
  await then(job)
  await expect(job.result()).rejects.toMatchObject({ type })
  expect((await job.status()).sandbox).toMatchObject({ sandboxId: null, state: 'none' })
  expect(await sandboxesOf(job)).toEqual([])
})

test('a notification that came early is kept, and then nothing is paused', async () => {
  const spec = await holdfast.spec({
    steps: [
      { run: 'while [ ! -e ~/go ]; do sleep 0.1; done; touch made' },
      { waitFor: 'early', timeout: '1h' },
    ],
  })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'stepStarted')
  await job.notify('early')
  const [sandbox] = await holdfast.connectSandboxes(spec.id)
  await sandbox!.files.write('/home/user/go', '')
  expect((await job.result()).sandbox).toMatchObject({ pauses: 0 })
})

test.each([
  ['fail', 'StepFailed'],
  ['continue', undefined],
] as const)('nobody notifies in time: with onTimeout "%s" the job ends with %s', async (onTimeout, type) => {
  const steps = [
    { write: 'made', content: 'x' },
    { waitFor: 'never', timeout: 500, onTimeout },
  ]
  const job = await holdfast.jobs.submit(await holdfast.spec({ steps }))
  const ending = await job.result().then(
    () => undefined,
    (error: { type: string }) => error.type,
  )
  expect(ending).toBe(type)
})

test('a short sleep leaves the sandbox running, a longer one than the threshold pauses it', async () => {
  const steps = [{ write: 'made', content: 'x' }, { sleep: 100 }, { sleep: 1_500 }]
  const spec = await holdfast.spec({ steps, sandbox: { pauseAfter: 1_000 } })
  const job = await holdfast.jobs.submit(spec)
  expect((await job.result()).sandbox).toMatchObject({ pauses: 1, resumes: 1 })
  const waits = (await allEvents(job)).filter(({ type }) => type === 'waitEnded' || type === 'sandboxPaused')
  expect(waits.map(({ type }) => type)).toEqual(['waitEnded', 'sandboxPaused', 'waitEnded'])
})

test('the preview of a job that waits for its review wakes the paused sandbox, and the job goes on', async () => {
  const serve = 'mkdir -p /tmp/site && echo hello >/tmp/site/index.html && cd /tmp/site'
  const spec = await holdfast.spec({
    steps: [
      { run: `${serve}; setsid python3 -m http.server 3000 >/dev/null 2>&1 </dev/null & true` },
      { write: 'NOTES.md', content: 'made by a job\n' },
    ],
    review: {},
    sandbox: { preview: { port: 3000 }, pauseAfter: 1_000 },
  })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'sandboxPaused')
  const { sandboxId, previewUrl = '' } = (await job.status()).sandbox
  const { hostname, port } = new URL(holdfast.sandboxes.sandboxUrl)
  expect(previewUrl).toBe(`http://3000-${sandboxId}.localhost:${port}/`)
  // Browsers find names below localhost by themselves.
  const asked = request({ host: hostname, port, headers: { host: new URL(previewUrl).host } }).end()
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  expect(`${answer.statusCode} ${await text(answer)}`).toBe('200 hello\n')
  expect((await Sandbox.getInfo(sandboxId!, holdfast.sandboxes.connection)).state).toBe('running')
  await job.approve({ by: 'the test' })
  const { remoteHead, commit } = await job.result()
  expect(remoteHead).toBe(commit)
})

test('a git host that is down is waited for with the sandbox paused, and the push is made when it is back', async () => {
  const spec = await holdfast.spec({ review: { required: true }, sandbox: { pauseAfter: 1_000 } })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  await holdfast.gitHost.stop()
  await job.approve({ by: 'the test' })
  const outage = await eventOf(job, 'outage')
  expect(outage.failure.type).toBe('GitHostUnreachable')
  expect(await job.status()).toMatchObject({ waitingFor: { kind: 'outage' }, sandbox: { state: 'paused' } })
  await holdfast.gitHost.start()
  const { commit, remoteHead } = await job.result()
  expect(remoteHead).toBe(commit)
})

test('with onConflict "rebase" the work goes onto what came to the branch meanwhile, once', async () => {
  const spec = await holdfast.spec({
    review: { required: true },
    push: { onConflict: 'rebase' },
    sandbox: { keep: 'always' },
  })
  const repository = holdfast.repository(spec.repo.url)
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  await repository.commitFile('holdfast/work', 'OTHER.md', 'from elsewhere\n')
  // The remote takes the push, then its server dies before it can say so; the next attempt finds it.
  await repository.installHook(
    'post-receive',
    'mv hooks/post-receive hooks/done; kill -KILL $(ps -o ppid= -p $PPID) $PPID',
  )
  await job.approve({ by: 'the test' })
  const { commit, remoteHead } = await job.result()
  expect(commit).toBe(remoteHead)
  expect(await repository.show(`${remoteHead}:OTHER.md`)).toBe('from elsewhere')
  expect(await repository.show(`${remoteHead}:NOTES.md`)).toBe('made by a job')
  expect((await repository.log('holdfast/work', '%s')).split('\n').slice(0, 2)).toEqual([
    'Add notes',
    'OTHER.md',
  ])
  // The sandbox is as the job knows it: paused while the remote is away, it is not taken for another one.
  const [sandbox] = await holdfast.connectSandboxes(job.id)
  const { stdout } = await sandbox!.commands.run('git status --porcelain; git ls-tree --name-only HEAD', {
    cwd: REPOSITORY,
  })
  expect(stdout).toContain('NOTES.md')
  expect(stdout).not.toContain('OTHER.md')
})

test('with onConflict "rebase" a conflict ends the job, and the branch stays as it was', async () => {
  const spec = await holdfast.spec({ review: { required: true }, push: { onConflict: 'rebase' } })
  const repository = holdfast.repository(spec.repo.url)
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  await repository.commitFile('holdfast/work', 'NOTES.md', 'from elsewhere\n')
  const before = await repository.head('holdfast/work')
  await job.approve({ by: 'the test' })
  await expect(job.result()).rejects.toMatchObject({ type: 'PushNotFastForward' })
  expect(await repository.head('holdfast/work')).toBe(before)
})
