import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { git } from './git.ts'
import { isRepositoryName } from './git-host/route.ts'
import * as files from './project-files.ts'

const AUTHOR = 'Holdfast Demo <demo@holdfast.invalid>'
const BASE = 'main'

interface Commit {
  message: string
  /** Seconds since 1970, so that every machine makes the same commit ids. */
  at: number
  files: Record<string, string>
}

const HISTORY: Commit[] = [
  {
    message: 'Parse durations',
    at: Date.UTC(2026, 0, 5, 9) / 1000,
    files: {
      'package.json': files.PACKAGE_JSON,
      'src/units.js': files.UNITS,
      'src/parse.js': files.PARSE,
      'test/parse.test.js': files.PARSE_TEST,
    },
  },
  {
    message: 'Format durations',
    at: Date.UTC(2026, 0, 6, 10) / 1000,
    files: { 'src/format.js': files.FORMAT, 'test/format.test.js': files.FORMAT_TEST },
  },
  {
    message: 'Export both, and say how to use them',
    at: Date.UTC(2026, 0, 7, 11) / 1000,
    files: { 'src/index.js': files.INDEX, 'README.md': files.README },
  },
  {
    message:
      'Test that rounding carries\n\nformat(3_599_600) gives "59m 60s": the test shows it, the mending is still to come.',
    at: Date.UTC(2026, 0, 8, 12) / 1000,
    files: { 'test/format.test.js': files.FORMAT_TEST + files.CARRY_TEST },
  },
]

export interface DemoRepository {
  /** The bare repository, `<root>/<name>.git`. */
  path: string
  base: typeof BASE
  /** Commit that `main` points to. */
  headSha: string
}

/**
 * Makes the demo's bare repository, or keeps the one that is there. A new one has the same commit ids everywhere.
 *
 * @throws Error where the name isn't one or more plain path segments
 */
export async function createDemoRepository(options: { root: string; name: string }): Promise<DemoRepository> {
  const { root, name } = options
  if (!isRepositoryName(name))
    throw new Error(`name: "${name}" is no repository name: use letters, digits and -`)
  const path = join(root, `${name}.git`)
  if (!(await exists(path))) await makeAt(path)
  return { path, base: BASE, headSha: await git(path, ['rev-parse', `refs/heads/${BASE}`]) }
}

/** By rename: another process sees the whole repository or none, and of two that make it one wins. */
async function makeAt(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const fresh = await mkdtemp(join(dirname(path), '.new-repository-'))
  try {
    await git(fresh, ['init', '--quiet', '--bare', `--initial-branch=${BASE}`, '.'])
    await git(fresh, ['config', 'receive.autogc', 'false'])
    await git(fresh, ['config', 'uploadpack.allowFilter', 'true'])
    await git(fresh, ['fast-import', '--quiet'], fastImportStream(HISTORY))
    await rename(fresh, path)
  } catch (error) {
    if (!(await exists(path))) throw error
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}

function fastImportStream(history: Commit[]): string {
  return history.map(commitCommand).join('') + 'done\n'
}

function commitCommand({ message, at, files }: Commit): string {
  const modifications = Object.entries(files).map(
    ([path, content]) => `M 100644 inline ${path}\n${data(content)}`,
  )
  const header = `commit refs/heads/${BASE}\nauthor ${AUTHOR} ${at} +0000\ncommitter ${AUTHOR} ${at} +0000\n`
  return `${header}${data(`${message}\n`)}${modifications.join('')}\n`
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}\n`
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch {
    return false
  }
}
