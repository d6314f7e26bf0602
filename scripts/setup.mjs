// Makes a fresh clone ready: Node and git are checked, the locked dependencies and, on Linux, bubblewrap (for root also
// xfsprogs) are installed where they are missing. Plain Node without dependencies, since it runs before they are there.
// Prints to stderr only.
import { spawnSync } from 'node:child_process'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installDependencies } from './setup/dependencies.mjs'
import { SetupError } from './setup/report.mjs'
import { installSandboxPrograms } from './setup/system-packages.mjs'

const MIN_NODE = [20, 20]
const root = dirname(dirname(fileURLToPath(import.meta.url)))

try {
  checkNode()
  checkGit()
  await installDependencies(root)
  await installSandboxPrograms()
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`set-up: ${error.message}\n`)
  process.exitCode = 1
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1])) return
  throw new SetupError(
    `Node ${process.versions.node} is too old: install Node ${MIN_NODE.join('.')} or newer (https://nodejs.org)`,
  )
}

function checkGit() {
  if (spawnSync('git', ['--version'], { stdio: 'ignore' }).status === 0) return
  throw new SetupError(
    'git is missing: install it (https://git-scm.com/downloads) and see that it is on PATH',
  )
}
