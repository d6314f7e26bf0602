import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const SCRIPTS = fileURLToPath(new URL('../../scripts', import.meta.url))

let project: string
let env: NodeJS.ProcessEnv

/** A project without dependencies whose own `install` script notes each real `npm ci`. */
beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'holdfast-setup-'))
  mkdirSync(join(project, 'scripts'))
  cpSync(join(SCRIPTS, 'setup.mjs'), join(project, 'scripts', 'setup.mjs'))
  cpSync(join(SCRIPTS, 'setup'), join(project, 'scripts', 'setup'), { recursive: true })
  mkdirSync(join(project, 'packages', 'left'), { recursive: true })
  writeJson('packages/left/package.json', { name: 'left', version: '1.0.0' })
  const install = 'echo installed >> installs.txt'
  const dependencies = { left: 'file:packages/left' }
  const manifest = { name: 'fresh', version: '1.0.0', dependencies }
  writeJson('package.json', { ...manifest, scripts: { install } })
  writeJson('package-lock.json', {
    name: 'fresh',
    version: '1.0.0',
    lockfileVersion: 3,
    requires: true,
    packages: {
      '': { ...manifest, hasInstallScript: true },
      'node_modules/left': { resolved: 'packages/left', link: true },
      'packages/left': { version: '1.0.0' },
    },
  })
  const bin = tools('bwrap', 'setpriv')
  env = {
    PATH: `${bin}:${process.env.PATH}`,
    HOME: project,
    TMPDIR: project,
    npm_config_update_notifier: 'false',
  }
})

afterEach(() => rmSync(project, { recursive: true, force: true }))

function writeJson(path: string, value: unknown): void {
  writeFileSync(join(project, path), `${JSON.stringify(value, null, 2)}\n`)
}

/** A folder for PATH with programs that do nothing. */
function tools(...names: string[]): string {
  const folder = mkdtempSync(join(project, 'bin-'))
  for (const name of names) program(folder, name, '')
  return folder
}

function program(folder: string, name: string, body: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`)
  chmodSync(join(folder, name), 0o755)
}

async function setUp(more: NodeJS.ProcessEnv = {}) {
  const program = join(project, 'scripts', 'setup.mjs')
  return execa(process.execPath, [program], { env: { ...env, ...more }, extendEnv: false, reject: false })
}

const installs = () => {
  const file = join(project, 'installs.txt')
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').length : 0
}

describe('the dependencies', () => {
  test('missing ones are installed once; then there is nothing to do, and nothing is said', async () => {
    const first = await setUp()
    expect(first).toMatchObject({ exitCode: 0, stdout: '' })
    expect(first.stderr).toContain('installing the locked dependencies')
    expect(existsSync(join(project, 'node_modules', 'left', 'package.json'))).toBe(true)
    expect(await setUp()).toMatchObject({ exitCode: 0, stdout: '', stderr: '' })
    expect(installs()).toBe(1)
  })

  test('stale ones are installed again', async () => {
    await setUp()
    const lock = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8'))
    lock.packages['packages/left'].version = '1.0.1'
    writeJson('package-lock.json', lock)
    writeJson('packages/left/package.json', { name: 'left', version: '1.0.1' })
    expect((await setUp()).exitCode).toBe(0)
    expect(installs()).toBe(2)
  })

  test('an installation that was broken off is made again', async () => {
    await setUp()
    rmSync(join(project, 'node_modules', '.holdfast-setup'))
    rmSync(join(project, 'node_modules', '.package-lock.json'))
    await setUp()
    expect(installs()).toBe(2)
  })

  test('what npm itself has just installed is kept', async () => {
    await execa('npm', ['ci', '--no-audit', '--no-fund'], { cwd: project, env, extendEnv: false })
    expect(await setUp()).toMatchObject({ exitCode: 0, stderr: '' })
    expect(installs()).toBe(1)
  })

  test('two at once install once', async () => {
    const both = await Promise.all([setUp(), setUp(), setUp()])
    expect(both.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0])
    expect(installs()).toBe(1)
  })

  test.each([
    ['has ended', () => spawnSync(process.execPath, ['-e', '0']).pid],
    ['is another process by now', () => process.pid],
  ])('the lock of an owner that %s is taken over', async (_, pid) => {
    mkdirSync(join(project, '.holdfast'))
    const lock = join(project, '.holdfast', 'setup.lock')
    writeFileSync(lock, `${pid()} 1`)
    expect((await setUp()).exitCode).toBe(0)
    expect(installs()).toBe(1)
    expect(existsSync(lock)).toBe(false)
  })

  test('a lock file that does not fit is refused with what to do', async () => {
    writeJson('package.json', {
      name: 'fresh',
      version: '1.0.0',
      dependencies: { right: 'file:packages/right' },
    })
    const { exitCode, stderr } = await setUp()
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/set-up: npm ci failed \(exit code 1\): read npm's message above/)
  })

  test('without a lock file it says so', async () => {
    rmSync(join(project, 'package-lock.json'))
    expect(await setUp()).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('package-lock.json is missing'),
    })
  })
})

describe.runIf(process.platform === 'linux')('the programs of the local sandbox', () => {
  beforeEach(async () => {
    await setUp()
  })

  /** PATH with git and these alone. */
  function only(...names: string[]): string {
    const folder = tools(...names)
    const git = spawnSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).stdout.trim()
    symlinkSync(git, join(folder, 'git'))
    return folder
  }

  /** An apt-get that notes its arguments and "installs" a program into its own folder. */
  function withAptGet(folder: string, installed = 'bwrap'): void {
    const calls = join(project, 'apt-calls.txt')
    const install = `: > ${folder}/${installed} && /bin/chmod +x ${folder}/${installed}`
    program(folder, 'apt-get', `echo "$@" >> ${calls}\ncase "$*" in *install*) ${install};; esac`)
  }

  const aptCalls = () => readFileSync(join(project, 'apt-calls.txt'), 'utf8').trim().split('\n')

  test.each([
    ['dnf', 'sudo dnf install -y bubblewrap util-linux'],
    ['pacman', 'sudo pacman -S --needed bubblewrap util-linux'],
    ['apk', 'sudo apk add bubblewrap setpriv'],
  ])('where %s installs packages, its one line is named', async (manager, line) => {
    const { exitCode, stderr } = await setUp({ PATH: only('setpriv', manager) })
    expect(exitCode).toBe(1)
    expect(stderr).toContain(`the local sandbox needs bwrap: run: ${line}`)
  })

  test('with no package manager that is known, the packages are named', async () => {
    const { exitCode, stderr } = await setUp({ PATH: only() })
    expect(exitCode).toBe(1)
    expect(stderr).toContain('needs bwrap and setpriv: install bubblewrap and util-linux')
  })

  test("with E2B's cloud configured it goes on without", async () => {
    const { exitCode, stderr } = await setUp({ PATH: only('setpriv'), E2B_API_KEY: 'test-key' })
    expect(exitCode).toBe(0)
    expect(stderr).toContain('it goes on without')
  })

  test.runIf(process.getuid?.() === 0)(
    'root on Debian: apt-get updates, then installs what is missing',
    async () => {
      const PATH = only('setpriv', 'mkfs.xfs')
      withAptGet(PATH)
      const { exitCode, stderr } = await setUp({ PATH })
      expect(exitCode).toBe(0)
      expect(stderr).toBe('set-up: installing bubblewrap for the local sandbox (apt-get)')
      expect(aptCalls()).toEqual([
        expect.stringMatching(/ update$/),
        expect.stringMatching(/ install -y --no-install-recommends bubblewrap$/),
      ])
    },
  )

  test.runIf(process.getuid?.() === 0)(
    'two at once: one installs, the other waits and finds it done',
    async () => {
      const PATH = only('setpriv', 'mkfs.xfs')
      withAptGet(PATH)
      const both = await Promise.all([setUp({ PATH }), setUp({ PATH })])
      expect(both.map(({ exitCode }) => exitCode)).toEqual([0, 0])
      expect(aptCalls()).toHaveLength(2)
    },
  )

  test.runIf(process.getuid?.() === 0)('an apt-get that fails: its message and the line to run', async () => {
    const PATH = only('setpriv', 'mkfs.xfs')
    program(PATH, 'apt-get', 'echo "E: Could not resolve the mirror" >&2; exit 100')
    const { exitCode, stderr } = await setUp({ PATH })
    expect(exitCode).toBe(1)
    expect(stderr).toContain('apt-get update failed:\nE: Could not resolve the mirror')
    expect(stderr).toContain('sudo apt-get install -y bubblewrap')
  })

  test.runIf(process.getuid?.() === 0)('what makes copies of disks faster is installed too', async () => {
    const PATH = only('bwrap', 'setpriv')
    withAptGet(PATH, 'mkfs.xfs')
    const { exitCode, stderr } = await setUp({ PATH })
    expect(exitCode).toBe(0)
    expect(stderr).toContain('installed xfsprogs')
    expect(aptCalls()).toEqual([expect.stringMatching(/ install -y --no-install-recommends xfsprogs$/)])
  })

  test.runIf(process.getuid?.() === 0)('where that can’t be installed, it goes on without', async () => {
    const PATH = only('bwrap', 'setpriv')
    program(PATH, 'apt-get', 'exit 100')
    const { exitCode, stderr } = await setUp({ PATH })
    expect(exitCode).toBe(0)
    expect(stderr).toContain("xfsprogs can't be installed")
  })
})

describe('what has to be there', () => {
  test('without git it says so', async () => {
    const { exitCode, stderr } = await setUp({ PATH: tools() })
    expect(exitCode).toBe(1)
    expect(stderr).toContain('git is missing: install it')
  })
})
