import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { TREE } from '../../src/activities/lib/git-scripts.ts'

test('where an index can not be copied whole, it is said, and git is not asked what it thinks of the rest', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-index-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const sh = (script: string) =>
    execa('sh', ['-c', `set -e\n${script}`], { cwd: folder, env: { TMPDIR: folder }, reject: false })
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
