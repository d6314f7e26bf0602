import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { withLock } from './lock.mjs'
import { SetupError, say } from './report.mjs'

/** What the local sandbox server runs, and the Debian package that has it. */
const PROGRAMS = { bwrap: 'bubblewrap', setpriv: 'util-linux' }

/** What it does without, at the price of snapshots and forks that copy all of a disk; only a server of root's uses it. */
const FASTER_COPIES = { program: 'mkfs.xfs', name: 'xfsprogs' }

const INSTALL_LINES = {
  'apt-get': 'sudo apt-get update && sudo apt-get install -y bubblewrap util-linux',
  dnf: 'sudo dnf install -y bubblewrap util-linux',
  pacman: 'sudo pacman -S --needed bubblewrap util-linux',
  apk: 'sudo apk add bubblewrap setpriv',
  zypper: 'sudo zypper install bubblewrap util-linux',
}

/**
 * Sees that the programs of the local sandbox are there: installs them on Debian and Ubuntu where it may, else names the
 * line that does.
 */
export async function installSandboxPrograms() {
  if (process.platform !== 'linux') return explainPlatform()
  await installNeeded()
  if (process.getuid() === 0 && onPath('apt-get')) await installFasterCopies()
}

async function installNeeded() {
  if (missing().length === 0) return
  const sudo = onPath('apt-get') ? rootPrefix() : undefined
  if (sudo === undefined) return explainLine()
  await withAptLock(() => {
    const packages = missing().map((program) => PROGRAMS[program])
    if (packages.length === 0) return
    say(`installing ${packages.join(' and ')} for the local sandbox (apt-get)`)
    aptGet(sudo, ['update'])
    aptGet(sudo, ['install', '-y', '--no-install-recommends', ...packages])
  })
  if (missing().length > 0) explainLine()
}

/** Never a failure: what hinders it is left to whoever wants it. */
async function installFasterCopies() {
  const { program, name } = FASTER_COPIES
  if (onPath(program)) return
  await withAptLock(() => {
    if (onPath(program)) return
    const install = ['install', '-y', '--no-install-recommends', name]
    const done = [[install], [['update'], install]].some((calls) =>
      calls.every((args) => runAptGet([], args).status === 0),
    )
    say(
      done
        ? `installed ${name}: snapshots of local sandboxes share what they hold`
        : `${name} can't be installed: snapshots of local sandboxes copy what they hold`,
    )
  })
}

const withAptLock = (task) =>
  withLock(join(tmpdir(), `holdfast-apt-${process.getuid()}.lock`), 'installing system packages', task)

function runAptGet(sudo, args) {
  const [command, ...rest] = [...sudo, 'apt-get', '-q', '-o', 'DPkg::Lock::Timeout=300', ...args]
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  return spawnSync(command, rest, { env, encoding: 'utf8' })
}

function aptGet(sudo, args) {
  const { status, stdout, stderr } = runAptGet(sudo, args)
  if (status === 0) return
  const reason = `${stdout}${stderr}`.trim().split('\n').slice(-5).join('\n')
  throw new SetupError(
    `apt-get ${args[0]} failed:\n${reason}\nMend that, then run: ${INSTALL_LINES['apt-get']}`,
  )
}

/** How to become root without being asked for a password; undefined where there is no way. */
function rootPrefix() {
  if (process.getuid() === 0) return []
  const allowed = spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0
  return allowed ? ['sudo', '-n'] : undefined
}

function explainLine() {
  const manager = Object.keys(INSTALL_LINES).find(onPath)
  const line = manager
    ? `run: ${INSTALL_LINES[manager]}`
    : `install ${Object.values(PROGRAMS).join(' and ')} with the package manager of this system`
  const problem = `the local sandbox needs ${missing().join(' and ')}: ${line}`
  if (!process.env.E2B_API_KEY) throw new SetupError(`${problem} (or set E2B_API_KEY to use E2B's cloud)`)
  say(`${problem}. E2B_API_KEY is set, so it goes on without`)
}

function explainPlatform() {
  if (process.env.E2B_API_KEY || process.env.E2B_API_URL) return
  const way = process.platform === 'win32' ? 'run it in WSL 2' : 'run it in a Linux container or machine'
  say(`the local sandbox needs Linux: ${way}, or set E2B_API_KEY to use E2B's cloud`)
}

function missing() {
  return Object.keys(PROGRAMS).filter((program) => !onPath(program))
}

function onPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return folder !== ''
    } catch {
      return false
    }
  })
}
