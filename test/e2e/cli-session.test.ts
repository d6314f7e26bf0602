import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { Session } from '../../src/index.ts'
import { type Holdfast, startHoldfast } from '../support/holdfast.ts'
import { KERNELS_MS, prepareKernels } from '../support/kernels.ts'
import { type Ended, type Program, startProgram } from '../support/program.ts'

let holdfast: Holdfast
let folder: string
let shared: Session
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-cli-'))
  holdfast = await startHoldfast({ sandboxArgs: await prepareKernels() })
  await holdfast.startWorker()
  shared = await holdfast.jobs.sessions.open(`cli-${randomUUID()}`)
}, KERNELS_MS)
afterAll(async () => {
  await holdfast.stop()
  await rm(folder, { recursive: true, force: true })
})

const words = (...args: string[]): string[] => [
  'session',
  '--address',
  inject('temporalAddress'),
  '--task-queue',
  holdfast.taskQueue,
  ...args,
]

const start = (...args: string[]): Program => startProgram(words(...args))

const run = (...args: string[]): Promise<Ended> => start(...args).ended

const json = async <T = Record<string, unknown>>(...args: string[]): Promise<T> => {
  const { code, stdout, stderr } = await run('--json', ...args)
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout) as T
}

describe.concurrent('a session by the command line', () => {
  test('is opened, listed, looked at, forked and closed', async () => {
    const id = `cli-${randomUUID()}`
    const opened = await run('open', id, '--env', 'GREETING=hello', '--idle-timeout', '1h')
    expect(opened.code, opened.stderr).toBe(0)
    expect(opened.stdout).toMatch(
      new RegExp(`^${id}\nsandbox \\S+; use it with: holdfast .* session run ${id}`),
    )
    const session = holdfast.jobs.sessions.get(id)
    await session.pause()
    const list = await json<{ id: string }[]>('list', '--limit', '1000')
    expect(list.map(({ id }) => id)).toContain(id)
    const status = await run('status', id)
    expect(status.stdout, status.stderr).toMatch(/^state +paused$[^]*^idle pause +after 1 h$/m)

    const fork = `cli-${randomUUID()}`
    expect(await json('fork', id, fork)).toEqual({ id: fork, from: id })
    const copy = holdfast.jobs.sessions.get(fork)
    expect((await copy.run('echo $GREETING')).stdout).toBe('hello\n')
    const [closed] = await Promise.all([json('close', id), copy.close()])
    expect(closed).toEqual({ id, state: 'closed' })
    await expect(session.status()).resolves.toMatchObject({ state: 'closing' })
  })

  test('run has the output and the exit code of the command, as a line for bash or as words', async () => {
    const [line, words] = await Promise.all([
      run('run', shared.id, '--json', '--env', 'A=b', 'pwd; echo $A; echo err >&2; exit 4'),
      run(
        'exec',
        shared.id,
        '--env',
        'A=b c',
        '--cwd',
        '/tmp',
        '--',
        'printf',
        '%s|',
        '$A',
        '',
        "it's",
        '-x',
      ),
    ])
    expect(line.code, line.stderr).toBe(4)
    expect(JSON.parse(line.stdout)).toMatchObject({ exitCode: 4, stdout: '/home/user\nb\n', stderr: 'err\n' })
    expect(words).toMatchObject({ code: 0, stdout: "$A||it's|-x|", stderr: '' })
  })

  test('a command that takes too long ends with 124; a long output is cut, and says so', async () => {
    const { code, stdout, stderr } = await run('run', shared.id, '--timeout', '1s', 'seq 1 20000; sleep 100')
    expect(code, stderr).toBe(124)
    expect(stdout).toMatch(/^1\n2\n[^]*bytes in all[^]*\n20000\n$/)
    expect(stderr).toMatch(/the output is cut[^]*time was over/)
  })

  test('with the blob store of the workers, run prints all as it comes, on the right stream', async () => {
    const go = `go-${randomUUID()}`
    const line = `seq 1 20000; until [ -e ${go} ]; do sleep 0.05; done; echo err >&2; echo end`
    const program = startProgram([...words('run'), shared.id, line], {
      HOLDFAST_BLOB_STORE: holdfast.blobStore,
    })
    await program.until('stdout', /^20000$/m)
    await shared.files.write(go, '')
    const { code, stdout, stderr } = await program.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'err\n' })
    const lines = Array.from({ length: 20_000 }, (_, index) => `${index + 1}\n`)
    expect(stdout === `${lines.join('')}end\n`).toBe(true)
  })

  test.each([
    ['blob store', () => ({ HOLDFAST_BLOB_STORE: pathToFileURL(join(folder, 'other')).href })],
    ['owner', () => ({ HOLDFAST_BLOB_STORE: holdfast.blobStore, HOLDFAST_OWNER: 'other' })],
  ])('with another %s than the workers, run prints the outcome, and says so', async (_, env) => {
    const line = 'echo out; echo err >&2; exit 3'
    const { code, stdout, stderr } = await startProgram([...words('run'), shared.id, line], env()).ended
    expect({ code, stdout }, stderr).toEqual({ code: 3, stdout: 'out\n' })
    expect(stderr).toMatch(/^4 bytes of stdout are not in the blob store[^]*^4 bytes of stderr .*\nerr\n$/m)
  })

  // The expect of a concurrent test is its own: the shared one may be another test's at the time, or nobody's.
  test('Ctrl-C ends the command, and run with 130 after what it printed', async ({ expect }) => {
    const file = `begun-${randomUUID()}`
    const line = `trap 'echo ended; exit 9' TERM; touch ${file}; sleep 100 & wait`
    const program = start('run', shared.id, line)
    await expect.poll(() => shared.files.exists(file)).toBe(true)
    program.send('SIGINT')
    const { code, stdout, stderr } = await program.ended
    expect({ code, stdout }, stderr).toEqual({ code: 130, stdout: 'ended\n' })
    expect(stderr).toMatch(
      /^ending the command; Ctrl-C again .*session wait[^]*error Interrupted: the command was ended/,
    )
  })

  test('a detached command outlives the program; wait has its end, and kill ends it', async ({ expect }) => {
    const line = "trap 'echo ended; exit 5' TERM; touch trapped; sleep 1000 & wait"
    const { commandId } = await json<{ commandId: string }>('run', shared.id, '--detach', line)
    const wait = start('wait', shared.id, commandId)
    await expect.poll(() => shared.files.exists('trapped')).toBe(true)
    expect((await run('kill', shared.id, commandId)).stdout).toBe(`ended ${commandId}\n`)
    expect(await wait.ended).toMatchObject({ code: 5, stdout: 'ended\n' })
  })

  test('write and read carry a file byte by byte', async () => {
    const bytes = Buffer.from([0, 1, 0xff, 0xfe, 10])
    const file = join(folder, 'bytes')
    await writeFile(file, bytes)
    const written = await run('write', shared.id, 'd/bytes', file)
    expect(written.stdout, written.stderr).toBe('/home/user/d/bytes: 5 bytes\n')
    expect(await json('read', shared.id, 'd/bytes')).toMatchObject({ content: bytes.toString('base64') })
  })

  test('code keeps variables, saves pictures, and ends with 1 where it throws', async () => {
    await shared.runCode('x = 41')
    const draw = 'import matplotlib.pyplot as plt\nplt.plot([x]); plt.show()\nprint(x + 1)\n1 / 0'
    const { code, stdout, stderr } = await run('code', shared.id, draw, '--save', join(folder, 'plots'))
    expect({ code, stdout }, stderr).toEqual({ code: 1, stdout: '42\n' })
    expect(stderr).toContain('ZeroDivisionError')
    const [, path = ''] = /^picture (.*)$/m.exec(stderr) ?? []
    expect((await readFile(path)).subarray(1, 4).toString()).toBe('PNG')
  })

  test('perform does any operation by its name', async () => {
    const input = '{"path": "/etc/passwd"}'
    expect(await json('perform', shared.id, 'files.exists', input)).toEqual({ exists: true })
  })
})
