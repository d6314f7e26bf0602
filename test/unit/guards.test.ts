import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { type FileChange, findBreaches, parseChanges } from '../../src/activities/lib/guards.ts'
import { addedLines, findSecrets } from '../../src/activities/lib/secret-scan.ts'
import { guards } from '../../src/contract/guards.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-guards-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const change = (path: string, rest: Partial<FileChange> = {}): FileChange => ({
  status: 'M',
  path,
  insertions: 3,
  deletions: 1,
  ...rest,
})

test.each([
  ['nothing asked', {}, [change('a.ts'), change('.github/x.yml')], []],
  ['all within', { paths: ['src/**'] }, [change('src/a.ts'), change('src/.env')], []],
  [
    'one outside',
    { paths: ['src/**'] },
    [change('src/a.ts'), change('package.json')],
    ['paths: outside of guards.paths: package.json'],
  ],
  [
    'one never',
    { paths: ['**', '!.github/**'] },
    [change('.github/workflows/ci.yml')],
    ['paths: outside of guards.paths: .github/workflows/ci.yml'],
  ],
  [
    'only what never may',
    { paths: ['!*.lock'] },
    [change('a.ts'), change('yarn.lock')],
    ['paths: outside of guards.paths: yarn.lock'],
  ],
  [
    'moved out of a place that may not change',
    { paths: ['src/**'] },
    [change('src/a.ts', { status: 'R', from: 'lib/a.ts' })],
    ['paths: outside of guards.paths: lib/a.ts'],
  ],
  [
    'more than are named',
    { paths: ['x'] },
    ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((path) => change(path)),
    ['paths: outside of guards.paths: a, b, c, d, e and 2 more'],
  ],
  ['as many files', { maxFiles: 2 }, [change('a'), change('b')], []],
  [
    'too many files',
    { maxFiles: 1 },
    [change('a'), change('b')],
    ['maxFiles: 2 files changed, more than guards.maxFiles: 1'],
  ],
  [
    'too many lines',
    { maxLines: 7 },
    [change('a'), change('b')],
    ['maxLines: 8 lines changed, more than guards.maxLines: 7'],
  ],
  ['a test deleted', {}, [change('src/a.test.ts', { status: 'D' })], ['tests: tests deleted: src/a.test.ts']],
  ['a test let go', { tests: false }, [change('src/a.test.ts', { status: 'D' })], []],
  ['a test moved among tests', {}, [change('test/unit/a.ts', { status: 'R', from: 'test/a.ts' })], []],
  [
    'a test moved away',
    {},
    [change('old/a.ts', { status: 'R', from: 'test/a.ts' })],
    ['tests: tests deleted: test/a.ts'],
  ],
  [
    'a test with fewer lines',
    {},
    [change('pkg/store_test.go', { insertions: 1, deletions: 9 })],
    ['tests: tests with fewer lines: pkg/store_test.go'],
  ],
  ['a test with more lines', {}, [change('tests/test_a.py')], []],
  [
    'tests of the project’s own naming',
    { tests: ['checks/*.sh'] },
    [change('checks/a.sh', { status: 'D' }), change('test/a.ts', { status: 'D' })],
    ['tests: tests deleted: checks/a.sh'],
  ],
])('%s', (_, spec, changes, expected) => {
  const found = findBreaches(changes, guards.parse(spec))
  expect(found.map(({ guard, message }) => `${guard}: ${message}`)).toEqual(expected)
})

test('every path that no glob allows is a breach, and none that one does', () => {
  const part = fc.stringMatching(/^\.?[a-z][a-z0-9._-]{0,5}$/)
  const path = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
  fc.assert(
    fc.property(path, path, (first, second) => {
      const allowed = findBreaches([change(first)], guards.parse({ paths: [first], tests: false }))
      const inFolder = findBreaches(
        [change(`${second}/${first}`)],
        guards.parse({ paths: [`${second}/**`], tests: false }),
      )
      const outside = findBreaches([change(`x${first}`)], guards.parse({ paths: [first], tests: false }))
      expect([allowed.length, inFolder.length, outside.length]).toEqual([0, 0, 1])
    }),
  )
})

const git = (...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=A', '-c', 'user.email=a@localhost', ...args], {
    cwd: folder,
    encoding: 'utf8',
  })

test('what git prints of added, deleted, moved, binary and oddly named files is read as it is', async () => {
  const write = async (path: string, content: string | Uint8Array) => {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  const lines = Array.from({ length: 20 }, (_, n) => `line ${n}`).join('\n')
  git('init', '--quiet')
  await write('gone.txt', 'a\nb\n')
  await write('here/moved.txt', lines)
  await write('same.txt', 'x\n')
  git('add', '-A')
  git('commit', '--quiet', '-m', 'base')
  git('rm', '--quiet', 'gone.txt')
  await mkdir(join(folder, 'there'))
  git('mv', 'here/moved.txt', 'there/moved.txt')
  await write('new\ttab\nline "é".txt', '++ b/fake\nvalue\n')
  await write('picture', new Uint8Array([0, 1, 2, 0]))
  await write('same.txt', 'y\n')
  git('add', '-A')
  const diff = (...how: string[]): string => git('diff', '--cached', '-M', ...how, 'HEAD')
  const changes = parseChanges(diff('-z', '--name-status'), diff('-z', '--numstat'))
  expect(changes.toSorted((a, b) => a.path.localeCompare(b.path))).toEqual([
    { status: 'D', path: 'gone.txt', insertions: 0, deletions: 2 },
    { status: 'A', path: 'new\ttab\nline "é".txt', insertions: 2, deletions: 0 },
    { status: 'A', path: 'picture', insertions: 0, deletions: 0 },
    { status: 'M', path: 'same.txt', insertions: 1, deletions: 1 },
    { status: 'R', path: 'there/moved.txt', from: 'here/moved.txt', insertions: 0, deletions: 0 },
  ])
  const added = addedLines(diff('--unified=0', '--output-indicator-new=>'))
  expect([...added.values()]).toContain('++ b/fake\nvalue\n')
  expect(added.get('same.txt')).toBe('y\n')
})

test('secrets are told by kind and file, and their values are not', async () => {
  const token = ['ghp', 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx'].join('_')
  const diff = `+++ b/src/a.ts\n>const token = '${token}'\n>fine\n+++ b/b.txt\n>all is well\n+++ b/c.txt\n>the worker's own\n`
  const found = await findSecrets(diff, (text) => text.includes("worker's own"))
  expect(found).toEqual([
    { path: 'src/a.ts', kind: 'GITHUB_TOKEN' },
    { path: 'c.txt', kind: 'a secret of this worker' },
  ])
  expect(JSON.stringify(found)).not.toContain(token)
})

test.each([
  ['before it', (line: string) => `>// secretlint-disable\n>${line}\n`],
  ['on the line before', (line: string) => `># secretlint-disable-next-line\n>${line}\n`],
  ['behind it', (line: string) => `>${line} // secretlint-disable-line\n`],
])('a comment %s that asks for a secret to be passed over is not heard', async (_, added) => {
  const token = ['ghp', 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx'].join('_')
  const found = await findSecrets(`+++ b/a.ts\n${added(`const token = '${token}'`)}`, () => false)
  expect(found).toEqual([{ path: 'a.ts', kind: 'GITHUB_TOKEN' }])
})

test('a glob that was made to take for ever on a path ends the job, and holds its worker up for seconds only', () => {
  const hostile = guards.parse({ paths: [`*****${'(a|*)'.repeat(5)}b`] })
  const begun = performance.now()
  expect(() => findBreaches([change('a'.repeat(200))], hostile)).toThrow(
    expect.objectContaining({ type: 'InvalidSpec' }),
  )
  expect(performance.now() - begun).toBeLessThan(10_000)
})
