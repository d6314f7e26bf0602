import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type AgentJobInput, type FailureType, secret } from '../../src/index.ts'
import { allEvents, eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'

let holdfast: Holdfast
let folder: string
beforeAll(async () => {
  holdfast = await startHoldfast()
  const here = `${new URL((await holdfast.spec()).repo.url).origin}/`
  const allow = [
    ...['GIT_TOKEN', 'READ_TOKEN', 'WRONG_TOKEN', 'NOBODY_HAS_IT'].map((name) => ({
      secret: name,
      urls: [here],
    })),
    { secret: 'OTHER_TOKEN', urls: ['https://elsewhere.example/'] },
    { secret: 'OTHER_TOKEN', urls: [here], taskQueues: ['another'] },
  ]
  folder = await mkdtemp(join(tmpdir(), 'holdfast-rules-'))
  const file = join(folder, 'holdfast.config.yaml')
  // YAML holds all of JSON.
  await writeFile(file, JSON.stringify({ secrets: { allow } }))
  await holdfast.startWorker({ HOLDFAST_CONFIG: file, HOLDFAST_SECRET_OTHER_TOKEN: 'a-token-for-elsewhere' })
})
afterAll(async () => {
  await holdfast.stop()
  await rm(folder, { recursive: true })
})

/** Each way to fail ends as its own type, with words and a remedy, and never as a hang. */
const FAILURES: [string, FailureType, (spec: AgentJobInput) => AgentJobInput, RegExp][] = [
  [
    'an unknown secret',
    'SecretMissing',
    (s) => ({ ...s, repo: { ...s.repo, auth: secret('NOBODY_HAS_IT') } }),
    /NOBODY_HAS_IT/,
  ],
  [
    'a secret that is for elsewhere',
    'SecretForbidden',
    (s) => ({ ...s, repo: { ...s.repo, auth: secret('OTHER_TOKEN') } }),
    /OTHER_TOKEN may not be used for/,
  ],
  [
    'a wrong token',
    'GitAuthenticationFailed',
    (s) => ({ ...s, repo: { ...s.repo, auth: secret('WRONG_TOKEN') } }),
    /./,
  ],
  ['no token', 'GitAuthenticationFailed', (s) => ({ ...s, repo: { url: s.repo.url } }), /./],
  [
    'a missing repository',
    'RepositoryNotFound',
    (s) => ({ ...s, repo: { ...s.repo, url: `${s.repo.url}-not` } }),
    /not found/,
  ],
  ['a missing base', 'BaseNotFound', (s) => ({ ...s, repo: { ...s.repo, base: 'nope' } }), /nope/],
  [
    'a step that fails',
    'StepFailed',
    (s) => ({ ...s, steps: [{ run: 'echo why; exit 7' }] }),
    /exited with 7/,
  ],
  [
    'a step over its time',
    'StepFailed',
    (s) => ({ ...s, steps: [{ run: 'sleep 50', timeout: 300 }] }),
    /timeout/,
  ],
  [
    'a patch that does not apply',
    'PatchRejected',
    (s) => ({ ...s, steps: [{ patch: '--- a/no\n+++ b/no\n@@ -1 +1 @@\n-x\n+y\n' }] }),
    /./,
  ],
  [
    'a red check',
    'CheckFailed',
    (s) => ({ ...s, checks: [{ run: 'echo red; false', name: 'tests' }] }),
    /"tests" exited with 1/,
  ],
  ['nothing to commit', 'NothingToCommit', (s) => ({ ...s, steps: [{ run: 'true' }] }), /./],
  [
    'a token that may not push',
    'PushForbidden',
    (s) => ({ ...s, repo: { ...s.repo, auth: secret('READ_TOKEN') } }),
    /./,
  ],
]

test.each(FAILURES)('%s ends the job as %s', async (_, type, change, message) => {
  const spec = change(await holdfast.spec())
  const job = await holdfast.jobs.submit(spec)
  const error = await job.result().then(
    () => expect.unreachable('the job completed'),
    (error: unknown) => error,
  )
  expect(error).toMatchObject({
    type,
    message: expect.stringMatching(message),
    report: { remedy: expect.any(String) },
  })
  const madeSandbox = (await allEvents(job)).some((event) => event.type === 'sandboxCreated')
  expect(madeSandbox).toBe(!type.startsWith('Secret'))
})

test('a branch that the remote has already ends the job as BranchExists', async () => {
  const spec = await holdfast.spec()
  await holdfast.repository(spec.repo.url).createBranch('holdfast/work', 'main')
  await expect((await holdfast.jobs.submit(spec)).result()).rejects.toMatchObject({ type: 'BranchExists' })
})

test('a branch that appeared on the remote during the review is not overwritten', async () => {
  const spec = await holdfast.spec({ review: { required: true } })
  const repository = holdfast.repository(spec.repo.url)
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  await repository.createBranch('holdfast/work', 'main')
  await job.approve({ by: 'the test' })
  await expect(job.result()).rejects.toMatchObject({ type: 'PushNotFastForward' })
  expect(await repository.head('holdfast/work')).toBe(await repository.head('main'))
})

test("a push that the remote's hook refuses ends the job with the hook's words", async () => {
  const spec = await holdfast.spec()
  await holdfast.repository(spec.repo.url).rejectPushes('no pushes on Mondays')
  await expect((await holdfast.jobs.submit(spec)).result()).rejects.toMatchObject({
    type: 'PushHookRejected',
    report: { output: expect.stringContaining('no pushes on Mondays') },
  })
})

test('after a red check the work is kept in a paused sandbox', async () => {
  const spec = await holdfast.spec({ checks: [{ run: 'false' }] })
  const job = await holdfast.jobs.submit(spec)
  const error = (await job.result().catch((error: unknown) => error)) as { report: { keptSandboxId: string } }
  const kept = (await holdfast.listSandboxes()).find(
    ({ sandboxId }) => sandboxId === error.report.keptSandboxId,
  )
  expect(kept).toMatchObject({ state: 'paused', metadata: { holdfastWorkflowId: spec.id } })
  expect((await job.diff()) ?? (await job.status()).sandbox.state).toBeTruthy()
})

test('with keep "never" a failed job leaves no sandbox', async () => {
  const spec = await holdfast.spec({ steps: [{ run: 'false' }], sandbox: { keep: 'never' } })
  const job = await holdfast.jobs.submit(spec)
  await expect(job.result()).rejects.toMatchObject({ type: 'StepFailed' })
  const { sandboxId } = (await job.status()).sandbox
  expect((await holdfast.listSandboxes()).map((sandbox) => sandbox.sandboxId)).not.toContain(sandboxId)
})
