import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseGitStatus } from '../../src/activities/lib/git-status.ts'

const ENV = {
  PATH: process.env.PATH,
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  ...Object.fromEntries(
    ['AUTHOR', 'COMMITTER'].flatMap((who) => [
      [`GIT_${who}_NAME`, 'Test'],
      [`GIT_${who}_EMAIL`, 'test@holdfast.invalid'],
    ]),
  ),
}

/** Real git in a folder of its own. */
function repository() {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-status-'))
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: folder, env: ENV, encoding: 'utf8' })
  git('init', '-q', '-b', 'main')
  return {
    folder,
    git,
    write: (path: string, text: string): void => {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    },
    status: () => parseGitStatus(git('status', '--porcelain=v2', '--branch', '-z', '--untracked-files=all')),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** Names with all that quoting, splitting and trimming could break. */
const oddName = fc
  .string({
    unit: fc.constantFrom(...Array.from('a Zé字🙂→\t\n\u0001"\'\\>-?#1R.')),
    minLength: 1,
    maxLength: 20,
  })
  .filter((name) => !['.', '..'].includes(name))
const oddPath = fc.array(oddName, { minLength: 1, maxLength: 2 }).map((names) => names.join('/'))

type Change = 'new' | 'staged' | 'changed' | 'staged and changed' | 'deleted' | 'renamed'
const change = fc.constantFrom<Change>('new', 'staged', 'changed', 'staged and changed', 'deleted', 'renamed')

const EXPECTED: Record<Change, { index: string; workingTree: string; staged: boolean }> = {
  new: { index: '?', workingTree: '?', staged: false },
  staged: { index: 'A', workingTree: '.', staged: true },
  changed: { index: '.', workingTree: 'M', staged: false },
  'staged and changed': { index: 'M', workingTree: 'M', staged: true },
  deleted: { index: '.', workingTree: 'D', staged: false },
  renamed: { index: 'R', workingTree: '.', staged: true },
}

test('what git says of files with odd names is read as it is', () => {
  const plan = fc.uniqueArray(fc.tuple(oddPath, change), {
    minLength: 1,
    maxLength: 8,
    // A folder can't have the name of a file.
    selector: ([path]) => path.split('/')[0],
  })
  fc.assert(
    fc.property(plan, (files) => {
      using repo = repository()
      const tracked = files.filter(([, change]) => change !== 'new' && change !== 'staged')
      tracked.forEach(([path], index) => repo.write(path, `content ${index}\n`.repeat(20)))
      repo.git('add', '-A')
      repo.git('commit', '-q', '--allow-empty', '-m', 'first')
      const renamedTo = (path: string): string => `${path} -> moved`
      const ofKind = (wanted: Change): string[] =>
        files.filter(([, change]) => change === wanted).map(([path]) => path)
      for (const path of ofKind('renamed'))
        renameSync(join(repo.folder, path), join(repo.folder, renamedTo(path)))
      for (const path of [...ofKind('staged'), ...ofKind('staged and changed')])
        repo.write(path, `once: ${path}\n`)
      const toStage = [
        ...ofKind('renamed').flatMap((path) => [path, renamedTo(path)]),
        ...ofKind('staged'),
        ...ofKind('staged and changed'),
      ]
      if (toStage.length > 0) repo.git('--literal-pathspecs', 'add', '-A', '--', ...toStage)
      for (const path of [...ofKind('changed'), ...ofKind('staged and changed')])
        repo.write(path, `twice: ${path}\n`)
      for (const path of ofKind('deleted')) rmSync(join(repo.folder, path))
      for (const path of ofKind('new')) repo.write(path, 'new\n')

      const expected = files.map(([path, change]) => ({
        path: change === 'renamed' ? renamedTo(path) : path,
        ...EXPECTED[change],
        ...(change === 'renamed' && { renamedFrom: path }),
      }))
      const { fileStatus, ...rest } = repo.status()
      expect(rest).toEqual({ currentBranch: 'main', ahead: 0, behind: 0, truncated: false })
      const byPath = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : 1)
      expect(fileStatus.toSorted(byPath)).toEqual(expected.toSorted(byPath))
    }),
    { numRuns: 25 },
  )
})

test('a branch is told with its upstream, how far it is ahead and behind, and a detached HEAD has none', () => {
  using repo = repository()
  const commit = (name: string): string => repo.git('commit', '-q', '--allow-empty', '-m', name)
  commit('one')
  repo.git('checkout', '-q', '-b', 'feature/ünï-1', '--track')
  commit('two')
  commit('three')
  repo.git('checkout', '-q', 'main')
  commit('four')
  repo.git('checkout', '-q', 'feature/ünï-1')
  expect(repo.status()).toMatchObject({
    currentBranch: 'feature/ünï-1',
    upstream: 'main',
    ahead: 2,
    behind: 1,
    fileStatus: [],
  })
  repo.git('checkout', '-q', '--detach')
  expect(repo.status().currentBranch).toBeUndefined()
})

test('a conflict is told as such', () => {
  using repo = repository()
  const commit = (text: string): string => {
    repo.write('a b.txt', text)
    repo.git('add', '-A')
    return repo.git('commit', '-q', '-m', text)
  }
  commit('base')
  repo.git('checkout', '-q', '-b', 'other')
  commit('theirs')
  repo.git('checkout', '-q', 'main')
  commit('ours')
  expect(() => repo.git('merge', '-q', 'other')).toThrow('git merge')
  expect(repo.status().fileStatus).toEqual([{ path: 'a b.txt', index: 'U', workingTree: 'U', staged: true }])
})

test('of more than 1,000 files the first 1,000 are told, and that there are more', () => {
  const entries = Array.from({ length: 1_001 }, (_, index) => `? ${index}\0`)
  const { fileStatus, truncated } = parseGitStatus(entries.join(''))
  expect([fileStatus.length, truncated]).toEqual([1_000, true])
  expect(parseGitStatus(entries.slice(1).join('')).truncated).toBe(false)
})
