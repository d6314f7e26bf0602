import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { withLock } from './lock.mjs'
import { SetupError, say } from './report.mjs'

/** Installs what package-lock.json names into node_modules, unless that is there for this Node already. */
export async function installDependencies(root) {
  const marker = join(root, 'node_modules', '.holdfast-setup')
  const wanted = fingerprint(root)
  if (read(marker) === wanted) return
  // Not in node_modules: `npm ci` begins by removing that.
  await withLock(join(root, '.holdfast', 'setup.lock'), 'installing the dependencies', () => {
    if (read(marker) === wanted) return
    if (!isInstalled(root)) install(root)
    writeFileSync(marker, wanted)
  })
}

function install(root) {
  say('installing the locked dependencies (npm ci)')
  const begun = Date.now()
  const npm = process.env.npm_execpath?.endsWith('npm-cli.js')
    ? [process.execPath, process.env.npm_execpath]
    : ['npm']
  const args = [...npm.slice(1), 'ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
  const { status, error } = spawnSync(npm[0], args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32' && npm.length === 1,
  })
  if (status !== 0)
    throw new SetupError(
      `npm ci failed (${error?.message ?? `exit code ${status}`}): read npm's message above, then run it again`,
    )
  say(`dependencies installed in ${Math.round((Date.now() - begun) / 1000)} s`)
}

function fingerprint(root) {
  const lock = read(join(root, 'package-lock.json'))
  if (lock === undefined) throw new SetupError('package-lock.json is missing: take it from the repository')
  const { version, platform, arch } = process
  return createHash('sha256').update(`${version} ${platform} ${arch}\n${lock}`).digest('hex')
}

/** Whether npm itself, run by hand, installed just this: it leaves its own record when it has finished. */
function isInstalled(root) {
  const record = read(join(root, 'node_modules', '.package-lock.json'))
  if (record === undefined) return false
  const there = JSON.parse(record).packages
  const { '': _root, ...wanted } = JSON.parse(read(join(root, 'package-lock.json'))).packages
  const same = (path) =>
    there[path].version === wanted[path]?.version && there[path].integrity === wanted[path].integrity
  return (
    Object.keys(there).every(same) &&
    Object.entries(wanted).every(
      ([path, { optional, devOptional }]) => path in there || optional || devOptional,
    )
  )
}

function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}
