import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const BIN = fileURLToPath(new URL('../../bin/holdfast.mjs', import.meta.url))
const EXAMPLE = fileURLToPath(new URL('../../examples/bump.yaml', import.meta.url))

let folder: string
/** An address of this machine where nobody listens. */
let closedAddress: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-cli-'))
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  closedAddress = `127.0.0.1:${(server.address() as AddressInfo).port}`
  await new Promise((resolve) => server.close(resolve))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Runs the real command line in a process of its own, without the caller's settings for Temporal. */
const holdfast = (args: string[], input = '', settings: Record<string, string> = {}) =>
  execa(process.execPath, [BIN, ...args], {
    cwd: folder,
    input,
    reject: false,
    timeout: 60_000,
    extendEnv: false,
    env: { PATH: process.env.PATH, HOME: folder, ...settings },
  })

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text)
  return name
}

describe('help and usage', () => {
  test('--help names every command and the exit codes', async () => {
    const { exitCode, stdout } = await holdfast(['--help'])
    expect(exitCode).toBe(0)
    const commands =
      'submit status watch output diff approve reject request-changes cancel list session schema worker up'.split(
        ' ',
      )
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'))
    expect(stdout).toMatch(/^ {2}130 +interrupted/m)
  })

  test.each(['submit', 'watch', 'approve', 'request-changes', 'list', 'up'])(
    'help of %s has an example and the global options',
    async (command) => {
      const { exitCode, stdout } = await holdfast([command, '--help'])
      expect(exitCode).toBe(0)
      expect(stdout).toContain(`  $ holdfast ${command}`)
      expect(stdout).toContain('--address')
    },
  )

  test.each([
    [['statu', 'x'], 'Did you mean status?'],
    [['watch', 'x', '--form', '3'], 'Did you mean --from?'],
    [['watch', 'x', '--from', 'three'], 'Give a whole number'],
    [['output', 'x', '--from', '12'], 'such as 1:2048:0'],
    [['approve'], "missing required argument 'id'"],
    [['request-changes', 'x'], '--feedback'],
    [['worker', '--address', 'x:1'], 'TEMPORAL_ADDRESS'],
    [['session', 'open', 'x', '--idle-timeout', 'soon'], 'Give a time such as 90s'],
    [['session', 'run', 'x', '--env', 'novalue', 'true'], 'Give NAME=value.'],
    [['session', 'run', 'x'], 'no command is given'],
    [['session', 'perform', 'x', 'files.reed'], 'files.read,'],
    [['session', 'perform', 'x', 'files.read', 'path=7'], 'not JSON'],
    [[], 'no command is given'],
  ])('wrong usage %j ends with 2 and says what is wrong', async (args, words) => {
    const { exitCode, stdout, stderr } = await holdfast(args)
    expect(exitCode).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain(words)
    expect(stderr).not.toMatch(/^ +at /m)
  })

  test('wrong usage with --json is one JSON object on stdout', async () => {
    const { exitCode, stdout, stderr } = await holdfast(['lst', '--json'])
    expect(exitCode).toBe(2)
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toMatchObject({ error: { type: 'Usage', remedy: expect.any(String) } })
  })
})

describe('schema', () => {
  test('prints JSON Schema that requires what a spec requires', async () => {
    const { exitCode, stdout } = await holdfast(['schema'])
    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ required: ['id', 'repo', 'branch', 'steps'] })
  })
})

describe('input that is wrong', () => {
  test.each([
    ['nowhere.yaml', 'there is no file nowhere.yaml'],
    ['.', '. is a folder'],
  ])('submit %s ends with 2 and says so', async (path, words) => {
    const { exitCode, stderr } = await holdfast(['submit', path])
    expect(exitCode).toBe(2)
    expect(stderr).toContain(words)
  })

  test('up with a state folder that is a file ends with 1, naming it and what to do', async () => {
    const name = await file('state', '')
    const { exitCode, stdout } = await holdfast(['up', '--json', '--state', name])
    expect(exitCode).toBe(1)
    expect(JSON.parse(stdout).error).toEqual({
      type: 'StackFailed',
      message: expect.stringContaining(`the state folder ${join(folder, name)} can't be used: `),
      remedy: expect.stringContaining('name another one by HOLDFAST_STATE (of up: --state)'),
    })
  })

  test('broken YAML ends with 2, naming line and column', async () => {
    const name = await file('twice.yaml', 'id: a\nbranch: b\nid: c\n')
    const { exitCode, stderr } = await holdfast(['submit', name])
    expect(exitCode).toBe(2)
    expect(stderr).toContain('twice.yaml:3:1  this key is given twice')
  })

  test('a wrong spec ends with 2, naming each field with its line', async () => {
    const name = await file(
      'wrong.yaml',
      'id: a\nbranch: b\nrepo:\n  url: nope\nsteps:\n  - run: x\n    wait: 1\n',
    )
    const { exitCode, stdout, stderr } = await holdfast(['submit', name])
    expect(exitCode).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain('wrong.yaml:4:3  repo.url: is not an http or https URL')
    expect(stderr).toContain('wrong.yaml:7:5  steps[0].wait: is not a field here')
    expect(stderr).toContain('remedy: ')
  })

  test('a wrong spec from stdin with --json lists the problems as data', async () => {
    const { exitCode, stdout } = await holdfast(['submit', '-', '--json'], 'id: a\n')
    expect(exitCode).toBe(2)
    const { error } = JSON.parse(stdout)
    expect(error).toMatchObject({ type: 'InvalidSpec', message: '(stdin) has 3 problems' })
    expect(error.problems.map(({ field }: { field: string }) => field)).toEqual(['repo', 'branch', 'steps'])
  })

  test('steps for a request for changes are checked, with their lines', async () => {
    const name = await file('steps.yaml', '- run: ok\n- run: ok\n  cwd: /etc\n')
    const args = ['request-changes', 'x', '--feedback', 'f', '--steps', name]
    const { exitCode, stderr } = await holdfast(args)
    expect(exitCode).toBe(2)
    expect(stderr).toContain('steps.yaml:3:3  steps[1].cwd: is absolute')
  })

  test('a file of more than 2 MB ends with 2', async () => {
    const { exitCode, stderr } = await holdfast(['submit', '-'], `# ${'x'.repeat(2_000_000)}`)
    expect(exitCode).toBe(2)
    expect(stderr).toContain('more than 2 MB')
  })

  test('session write of more than 1 MiB ends with 2', async () => {
    const { exitCode, stderr } = await holdfast(['session', 'write', 'x', 'y'], 'x'.repeat(1024 * 1024 + 1))
    expect(exitCode).toBe(2)
    expect(stderr).toContain('more than 1 MiB')
  })
})

describe.concurrent('wrong settings end with 2 and are named', () => {
  test.each([
    [
      'a profile that is not there',
      { TEMPORAL_PROFILE: 'nope' },
      /SettingsInvalid: .*TEMPORAL_PROFILE.*nope/,
    ],
    [
      'a blob store that is no URL',
      { HOLDFAST_BLOB_STORE: '/var/lib/blobs' },
      /SettingsInvalid: HOLDFAST_BLOB_STORE/,
    ],
  ])('%s', async (_, env, words) => {
    const { exitCode, stderr } = await holdfast(['status', 'x', '--address', closedAddress], '', env)
    expect(exitCode, stderr).toBe(2)
    expect(stderr).toMatch(words)
  })
})

describe.concurrent('no server', () => {
  test.each([
    ['status', ['status', 'x']],
    ['submit', ['submit', EXAMPLE]],
  ])('%s at an address where nobody listens ends with 5, in seconds', async (_, args) => {
    const { exitCode, stderr, durationMs } = await holdfast([...args, '--address', closedAddress])
    expect(exitCode).toBe(5)
    expect(stderr).toContain(`no Temporal server answers at ${closedAddress}`)
    expect(durationMs).toBeLessThan(30_000)
  })

  test('with --json the error is an object', async () => {
    const { exitCode, stdout } = await holdfast(['list', '--json', '--address', closedAddress])
    expect(exitCode).toBe(5)
    expect(JSON.parse(stdout)).toMatchObject({ error: { type: 'ServerUnreachable' } })
  })
})
