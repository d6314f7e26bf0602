import { afterAll, beforeAll, expect, test } from 'vitest'
import { allEvents, eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'

let holdfast: Holdfast
beforeAll(async () => {
  holdfast = await startHoldfast()
  await holdfast.startWorker()
})
afterAll(() => holdfast.stop())

const token = ['ghp', 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx'].join('_')
/** Of commits that a step makes. */
const AUTHOR = 'git config user.name Someone; git config user.email someone@holdfast.invalid'

test('work beyond its guards waits for a person, though no review was asked for, and goes on when told', async () => {
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

test.each([
  ['in a commit', `git commit -qm k; git rm -q k`, ''],
  ['in a branch whose merge is under way', `git checkout -qb side; git commit -qm k; git rm -q k`, 'merge'],
])(
  'a token in a file outside of the guards that a later step removes again, %s, is a breach',
  async (_, commit, merge) => {
    const spec = await holdfast.spec({
      steps: [
        { run: `${AUTHOR}; echo ${token} >k; git add k; ${commit}` },
        {
          run: `git commit -qm 'not ${token}'; ${merge && 'git checkout -q -; git merge -q --no-ff --no-commit side;'} echo y >y`,
        },
      ],
      guards: { onBreach: 'fail', paths: ['y'], maxFiles: 1 },
    })
    const job = await holdfast.jobs.submit(spec)
    await expect(job.result()).rejects.toMatchObject({
      type: 'GuardBreached',
      message:
        'outside of guards.paths in a commit, not in the result: k; ' +
        'secrets in a commit, not in the result: GITHUB_TOKEN in k, GITHUB_TOKEN in a message',
    })
    expect(await holdfast.repository(spec.repo.url).head(spec.branch)).toBeUndefined()
  },
)

test('what the base has got since, and a step has merged, is none of the commits that the job answers for', async () => {
  const spec = await holdfast.spec({
    steps: [
      {
        run: `${AUTHOR}; git checkout -q --detach; echo ${token} >k; git add k; git commit -qm k; git rm -q k; git commit -qm 'no k'
git update-ref refs/remotes/origin/main HEAD; git checkout -q -; git commit -q --allow-empty -m own; git merge -q --no-edit origin/main; echo y >y`,
      },
    ],
    guards: { onBreach: 'fail', paths: ['y'] },
  })
  const job = await holdfast.jobs.submit(spec)
  expect(await job.result()).toMatchObject({ outcome: 'completed' })
})

test('with guards just what they looked at is committed, whatever still writes to the work', async () => {
  const tick = 'while true; do echo $((++n)) >tick; sleep 0.01; done'
  const spec = await holdfast.spec({
    steps: [
      { run: `setsid bash -c '${tick}' >/dev/null 2>&1 </dev/null &` },
      { write: 'NOTES.md', content: 'made by a job\n' },
    ],
    guards: {},
  })
  const job = await holdfast.jobs.submit(spec)
  const { commit } = await job.result()
  const committed = await holdfast.repository(spec.repo.url).show(`${commit}:tick`)
  expect((await job.diff())!.text).toContain(`\n+${committed}\n`)
})
