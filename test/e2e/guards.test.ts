import { afterAll, beforeAll, expect, test } from 'vitest'
import { allEvents, eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'

let holdfast: Holdfast
beforeAll(async () => {
  holdfast = await startHoldfast()
  await holdfast.startWorker()
})
afterAll(() => holdfast.stop())

test('work beyond its guards waits for a person, though no review was asked for, and goes on when told', async () => {
  const token = ['ghp', 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx'].join('_')
  const spec = await holdfast.spec({
    steps: [
      { write: 'src/new.ts', content: 'export const one = 1\n' },
      { write: 'deploy/key.txt', content: `${token}\n` },
      // A file that git is told to take for binary is looked at all the same.
      { write: 'hidden.dat', content: `${token}\n` },
      { write: '.gitattributes', content: '*.dat -diff\n' },
    ],
    guards: { paths: ['src/**', '*.dat', '.git*'], maxFiles: 3 },
  })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  const { waitingFor, sandbox } = await job.status()
  expect(waitingFor).toMatchObject({
    kind: 'review',
    breaches: [
      { guard: 'paths', message: 'outside of guards.paths: deploy/key.txt' },
      { guard: 'maxFiles', message: '4 files changed, more than guards.maxFiles: 3' },
      { guard: 'secrets', message: 'secrets: GITHUB_TOKEN in deploy/key.txt, GITHUB_TOKEN in hidden.dat' },
    ],
  })
  expect(sandbox.state).toBe('paused')
  await job.requestChanges({
    by: 'a reviewer',
    feedback: 'no keys, please',
    steps: [{ run: 'rm -r deploy hidden.dat .gitattributes' }],
  })
  // Within its guards again, and no review was asked for: it ends by itself.
  const result = await job.result()
  expect(result).toMatchObject({ outcome: 'completed', diff: { files: 1 } })
  expect(await holdfast.repository(spec.repo.url).head(spec.branch)).toBe(result.commit)
  const breached = (await allEvents(job)).filter(({ type }) => type === 'guardsBreached')
  expect(breached).toHaveLength(1)
})

test('a breach fails the job where the spec says so, with nothing pushed and the sandbox kept', async () => {
  const spec = await holdfast.spec({
    steps: [{ run: 'git rm --quiet README.md' }],
    guards: { tests: ['*.md'], onBreach: 'fail' },
  })
  const job = await holdfast.jobs.submit(spec)
  await expect(job.result()).rejects.toMatchObject({
    type: 'GuardBreached',
    message: 'tests deleted: README.md',
    report: { keptSandboxId: expect.any(String) },
  })
  expect(await holdfast.repository(spec.repo.url).head(spec.branch)).toBeUndefined()
})
