import { Sandbox } from 'e2b'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Job, JobEvent } from '../../src/index.ts'
import { allEvents, eventOf, type Holdfast, startHoldfast, untilPrinted } from '../support/holdfast.ts'

let holdfast: Holdfast
beforeAll(async () => {
  holdfast = await startHoldfast()
  await holdfast.startWorker()
})
afterAll(() => holdfast.stop())

async function killSandbox(job: Job): Promise<void> {
  const { sandboxId } = (await job.status()).sandbox
  expect(await Sandbox.kill(sandboxId!, holdfast.sandboxes.connection)).toBe(true)
}

test('a sandbox killed under a command: the work is restored in another one, and the result is the same', async () => {
  const steps = [
    { write: 'tool.sh', content: '#!/bin/sh\necho tool\n', executable: true },
    { run: 'mkdir -p ignored && echo x >ignored/dependency', rerun: 'always' as const, name: 'install' },
    {
      run: 'echo "ignored/" >.gitignore; git add .gitignore; git commit -qm "Ignore" .gitignore; echo staged >staged; git add staged',
      envs: {
        GIT_AUTHOR_NAME: 'a',
        GIT_AUTHOR_EMAIL: 'a@b.invalid',
        GIT_COMMITTER_NAME: 'a',
        GIT_COMMITTER_EMAIL: 'a@b.invalid',
      },
    },
    {
      run: 'echo begun; echo one >>lines; sleep 3; cat ignored/dependency; git status --short',
      name: 'slow',
    },
    { run: './tool.sh >made; echo two >>lines' },
  ]
  const calm = await holdfast.spec({ steps })
  const undisturbed = await (await holdfast.jobs.submit(calm)).result()
  const spec = await holdfast.spec({ steps })
  const job = await holdfast.jobs.submit(spec)
  for await (const event of job.events()) if (event.type === 'stepStarted' && event.name === 'slow') break
  await untilPrinted(job, 'begun')
  await killSandbox(job)
  const result = await job.result()
  const treeOf = (url: string): Promise<string> => holdfast.repository(url).show('holdfast/work^{tree}')
  expect(result.outcome).toBe('completed')
  const repository = holdfast.repository(spec.repo.url)
  expect(await repository.show(`${result.commit}:lines`)).toBe('one\ntwo')
  expect(await repository.show(`${result.commit}:made`)).toBe('tool')
  expect(await treeOf(spec.repo.url)).toBe(await treeOf(calm.repo.url))
  expect(result.diff).toEqual(undisturbed.diff)
  const events = await allEvents(job)
  expect(events.filter(({ type }) => type === 'sandboxLost')).toHaveLength(1)
  expect(events.filter(({ type }) => type === 'sandboxRestored')).toHaveLength(1)
  expect(events.find((event) => event.type === 'stepFinished' && event.name === 'slow')).toMatchObject({
    output: expect.stringContaining('A  staged'),
  })
  expect(await holdfast.listSandboxes()).toEqual([])
  expect((await holdfast.listBlobs()).filter((file) => !file.includes('/outputs/'))).toEqual([])
})

test('stashes, branches and tags that a step made are there again after the loss of its sandbox, and those that it deleted are not', async () => {
  const git = 'git -c user.name=a -c user.email=a@b.invalid'
  const steps = [
    { run: `echo one >one; ${git} stash -u -m first; git branch gone` },
    {
      run: `echo two >two; ${git} stash -u -m second; git branch -d gone; git branch gone/deeper
            ${git} tag -a -m "A note" note
            git checkout -q -b side; echo side >side; git add side; ${git} commit -qm Side; git checkout -q -`,
    },
    { waitFor: 'loss', timeout: '1h' },
    {
      run: `${git} merge -q side; ${git} stash pop >/dev/null; cat side two; git stash list
            git for-each-ref --format='%(objecttype) %(refname)' refs/heads refs/tags`,
      name: 'look',
    },
  ]
  const job = await holdfast.jobs.submit(await holdfast.spec({ steps }))
  await eventOf(job, 'sandboxPaused')
  await killSandbox(job)
  await job.notify('loss')
  const { outcome } = await job.result()
  expect(outcome).toBe('completed')
  const events = await allEvents(job)
  expect(events.find((event) => event.type === 'stepFinished' && event.name === 'look')).toMatchObject({
    output: [
      'side\ntwo\nstash@{0}: On holdfast/work: first',
      'commit refs/heads/gone/deeper\ncommit refs/heads/holdfast/work\ncommit refs/heads/main\ncommit refs/heads/side',
      'tag refs/tags/note\n',
    ].join('\n'),
  })
})

test('files of repositories within the repository are saved and committed, and of a submodule the commit, also through the loss of the sandbox', async () => {
  const git = 'git -c user.name=a -c user.email=a@b.invalid -c protocol.file.allow=always'
  const commit = (folder: string) => `${git} -C ${folder} commit -q --allow-empty -m commit`
  const steps = [
    {
      run: `for name in empty "with commits" staged; do git init -q "$name"; echo "in $name" >"$name/file"; done
            (cd "with commits"; git init -q deeper; echo deeper >deeper/file; ${git} add file; ${commit('.')})
            ${commit('staged')}; git add staged 2>/dev/null
            git init -q ~/module; ${commit('~/module')}; ${git} submodule -q add ~/module module; ${commit('module')}
            git -C module rev-parse HEAD`,
      name: 'make',
    },
    { waitFor: 'loss', timeout: '1h' },
    { run: 'cat */file */*/file' },
  ]
  const spec = await holdfast.spec({ steps })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'sandboxPaused')
  await killSandbox(job)
  await job.notify('loss')
  const made = (await job.result()).commit ?? ''
  const show = (path: string) => holdfast.repository(spec.repo.url).show(`${made}:${path}`)
  expect(
    await Promise.all(
      ['empty/file', 'with commits/file', 'with commits/deeper/file', 'staged/file'].map(show),
    ),
  ).toEqual(['in empty', 'in with commits', 'deeper', 'in staged'])
  const events = await allEvents(job)
  const make = events.find((event) => event.type === 'stepFinished' && event.name === 'make')
  const { output } = make as JobEvent & { type: 'stepFinished' }
  expect(await holdfast.repository(spec.repo.url).show(made)).toContain(`+Subproject commit ${output.trim()}`)
  expect(events.filter(({ type }) => type === 'sandboxLost')).toHaveLength(1)
})

test('work that no restored sandbox can have as it was saved ends the job at once, and says so', async () => {
  const filter = `git config filter.stamp.clean 'date +%N'; echo '*.stamped filter=stamp' >.gitattributes; touch a.stamped`
  const steps = [
    { run: filter, rerun: 'always' as const },
    { waitFor: 'loss', timeout: '1h' },
  ]
  const job = await holdfast.jobs.submit(await holdfast.spec({ steps }))
  await eventOf(job, 'sandboxPaused')
  await killSandbox(job)
  await job.notify('loss')
  await expect(job.result()).rejects.toMatchObject({ type: 'RestoreDiverged' })
  expect((await allEvents(job)).filter(({ type }) => type === 'sandboxLost')).toHaveLength(1)
})

test('a sandbox that vanished during the review comes back from its checkpoint after the approval', async () => {
  const spec = await holdfast.spec({ review: { required: true } })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  await killSandbox(job)
  await job.approve({ by: 'the test' })
  const { commit, remoteHead } = await job.result()
  expect(remoteHead).toBe(commit)
  expect(await holdfast.repository(spec.repo.url).show(`${commit}:NOTES.md`)).toBe('made by a job')
})

test('a sandbox that comes back without its files is replaced, and the events say so', async () => {
  const spec = await holdfast.spec({ review: { required: true } })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  const sandbox = await Sandbox.connect(
    (await job.status()).sandbox.sandboxId!,
    holdfast.sandboxes.connection,
  )
  await sandbox.files.remove('/home/user/repo/NOTES.md')
  await sandbox.pause()
  await job.approve({ by: 'the test' })
  const { commit } = await job.result()
  expect(await holdfast.repository(spec.repo.url).show(`${commit}:NOTES.md`)).toBe('made by a job')
  expect(await eventOf(job, 'sandboxLost')).toMatchObject({ failure: { type: 'SandboxDiverged' } })
})

test('a command that must never run twice ends the job as OutcomeUnknown when its sandbox is lost under it', async () => {
  const steps = [
    { write: 'NOTES.md', content: 'made by a job\n' },
    { run: 'echo begun; sleep 60', rerun: 'never' as const },
  ]
  const job = await holdfast.jobs.submit(await holdfast.spec({ steps }))
  await untilPrinted(job, 'begun')
  await killSandbox(job)
  // What was made before is in its checkpoint alone.
  await expect(job.result()).rejects.toMatchObject({
    type: 'OutcomeUnknown',
    report: { checkpoint: [expect.stringContaining('.bundle')] },
  })
})

test('a failed job keeps its work as bundles that git can fetch', async () => {
  const spec = await holdfast.spec({ checks: [{ run: 'false' }] })
  const job = await holdfast.jobs.submit(spec)
  const error = (await job.result().catch((error: unknown) => error)) as { report: { checkpoint: string[] } }
  expect(error.report.checkpoint).toHaveLength(1)
})

test('work that goes back to what it was is saved like any other, over any number of checkpoints', async () => {
  const steps = Array.from({ length: 12 }, (_, n) => ({ write: 'A', content: String(n % 2) }))
  const spec = await holdfast.spec({ steps, review: { required: true } })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  await killSandbox(job)
  await job.approve({ by: 'the test' })
  const { commit } = await job.result()
  expect(await holdfast.repository(spec.repo.url).show(`${commit}:A`)).toBe('1')
})
