import { runInNewContext } from 'node:vm'
import picomatch from 'picomatch'
import { failure } from '../../contract/failure.ts'
import type { Breach, Guards } from '../../contract/guards.ts'

/** One file of a diff. */
export interface FileChange {
  /** As git says: A, M, D, R, C, T. */
  status: string
  path: string
  /** Where it was, if it was moved. */
  from?: string
  /** Lines; 0 in binary files. */
  insertions: number
  deletions: number
}

/** Files that a message names. */
const NAMED = 5

/** ms for all globs and paths: the worker does nothing else meanwhile. */
const MAX_MATCHING_MS = 3_000

/** Of what a commit of the job did and a later one took back: it is pushed all the same. */
export const PASSED = 'in a commit, not in the result'

/**
 * In which ways the changes leave their bounds.
 *
 * @param touched what the commits change, one by one
 * @throws `InvalidSpec` where globs are made to take for ever on these paths
 */
export function findBreaches(changes: FileChange[], guards: Guards, touched: FileChange[] = []): Breach[] {
  const paths = pathsOf(changes)
  const there = new Set(paths)
  const passed = pathsOf(touched).filter((path) => !there.has(path))
  return inTime(() => [
    ...strayed(paths, 'outside of guards.paths', guards.paths),
    ...strayed(passed, `outside of guards.paths ${PASSED}`, guards.paths),
    ...tooMany('maxFiles', changes.length, guards.maxFiles, 'files changed'),
    ...tooMany('maxLines', sum(changes), guards.maxLines, 'lines changed'),
    ...lessTested(changes, guards.tests),
  ])
}

/** Globs become regular expressions, which backtrack. Nothing but V8's own watchdog can stop one. */
function inTime<T>(work: () => T): T {
  try {
    return runInNewContext('work()', { work }, { timeout: MAX_MATCHING_MS }) as T
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
    throw failure('InvalidSpec', 'guards: a glob takes too long to be held against the changed paths')
  }
}

function strayed(paths: string[], words: string, globs: string[] = ['**']): Breach[] {
  const may = globs.filter((glob) => !glob.startsWith('!'))
  const mayNot = globs.filter((glob) => glob.startsWith('!')).map((glob) => glob.slice(1))
  const within = matcher(may.length > 0 ? may : ['**'], mayNot)
  const outside = paths.filter((path) => !within(path))
  return outside.length > 0 ? [{ guard: 'paths', message: `${words}: ${list(outside)}` }] : []
}

const pathsOf = (changes: FileChange[]): string[] => [
  ...new Set(changes.flatMap(({ path, from, status }) => (from && status === 'R' ? [from, path] : [path]))),
]

function lessTested(changes: FileChange[], globs: string[]): Breach[] {
  if (globs.length === 0) return []
  const isTest = matcher(globs)
  const gone = changes.filter(
    ({ status, path, from }) =>
      (status === 'D' && isTest(path)) || (status === 'R' && isTest(from ?? '') && !isTest(path)),
  )
  const shrunk = changes.filter(
    ({ status, path, insertions, deletions }) => status !== 'D' && isTest(path) && deletions > insertions,
  )
  const breach = (words: string, files: FileChange[]): Breach[] =>
    files.length > 0
      ? [{ guard: 'tests', message: `${words}: ${list(files.map(({ from, path }) => from ?? path))}` }]
      : []
  return [...breach('tests deleted', gone), ...breach('tests with fewer lines', shrunk)]
}

function tooMany(guard: 'maxFiles' | 'maxLines', count: number, most = Infinity, words: string): Breach[] {
  return count > most ? [{ guard, message: `${count} ${words}, more than guards.${guard}: ${most}` }] : []
}

const sum = (changes: FileChange[]): number =>
  changes.reduce((total, { insertions, deletions }) => total + insertions + deletions, 0)

/** Names that begin with a dot are names like others. */
const matcher = (globs: string[], ignore: string[] = []): ((path: string) => boolean) =>
  picomatch(globs, { dot: true, ...(ignore.length > 0 && { ignore }) })

export const list = (paths: string[]): string =>
  paths.slice(0, NAMED).join(', ') + (paths.length > NAMED ? ` and ${paths.length - NAMED} more` : '')

/**
 * Reads what `git diff -z` prints of one and the same diff.
 *
 * @param nameStatus printed with `--name-status`
 * @param numstat printed with `--numstat`
 */
export function parseChanges(nameStatus: string, numstat: string): FileChange[] {
  const lines = new Map(numbers(numstat))
  const fields = nameStatus.split('\0')
  const changes: FileChange[] = []
  for (let at = 0; at + 1 < fields.length;) {
    const status = (fields[at++] ?? '').slice(0, 1)
    const moved = status === 'R' || status === 'C' ? { from: fields[at++] ?? '' } : {}
    const path = fields[at++] ?? ''
    changes.push({ status, path, ...moved, ...(lines.get(path) ?? { insertions: 0, deletions: 0 }) })
  }
  return changes
}

/** A moved file's record has an empty path, and then both of its paths. */
function* numbers(numstat: string): Generator<[string, { insertions: number; deletions: number }]> {
  const fields = numstat.split('\0')
  for (let at = 0; at + 1 < fields.length;) {
    const [, insertions, deletions, name] = /^(.*?)\t(.*?)\t(.*)$/s.exec(fields[at++] ?? '') ?? []
    const path = name || fields[(at += 2) - 1] || ''
    yield [path, { insertions: Number(insertions) || 0, deletions: Number(deletions) || 0 }]
  }
}
