import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { saying } from '../../src/activities/lib/git-command.ts'
import { TREE } from '../../src/activities/lib/git-scripts.ts'

test('where an index can not be copied whole, it is said, and git is not asked what it thinks of the rest', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-index-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const sh = (script: string) =>
    execa('bash', ['-c', `set -e\n${script}`], { cwd: folder, env: { TMPDIR: folder }, reject: false })
  await Promise.all(Array.from({ length: 100 }, (_, n) => writeFile(join(folder, `file-${n}`), String(n))))
  await sh('git init --quiet && git add -A')
  expect(await sh(`${TREE}; echo "$tree"`)).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^[0-9a-f]{40}$/) as string,
  })
  // As a full disk does, in the middle.
  const cut = await sh(`trap '' XFSZ; ulimit -f 2; ${TREE}; echo "$tree"`)
  expect(cut).toMatchObject({ exitCode: 1, stdout: '' })
  expect(cut.stderr).toMatch(/^cp: /)
  expect(cut.stderr).not.toContain('fatal')
})

test.each([
  { case: 'fails and says why', script: 'echo fatal >&2; false', says: 'fatal', code: 1 },
  { case: 'fails in silence', script: 'false; echo never', says: 'git ended with 1', code: 1 },
  { case: 'fails as its caller expects', script: 'exit 3', says: '', code: 3 },
  {
    case: 'fails on a full disk, which takes no message',
    script: 'false',
    says: '',
    code: 28,
    disk: '/dev/full',
  },
  { case: 'succeeds on a full disk', script: 'true', says: '', code: 0, disk: '/dev/full' },
])('a script that $case ends with $code', async ({ script, says, code, disk }) => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-said-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const messages = join(folder, 'stderr')
  const line = `exec 2>>"$0"\n${saying([3])}${script}`
  const { exitCode } = await execa('bash', ['-c', line, disk ?? messages], { reject: false })
  expect(exitCode).toBe(code)
  expect(disk ? '' : (await readFile(messages, 'utf8')).trim()).toBe(says)
})
