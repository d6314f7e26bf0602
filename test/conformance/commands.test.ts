import { CommandExitError, type CommandStartOpts, Sandbox, TimeoutError } from 'e2b'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

let server: SandboxServer
let sandbox: Sandbox
beforeAll(async () => {
  server = await startSandboxServer()
  sandbox = await Sandbox.create({
    ...server.connection,
    timeoutMs: 300_000,
    envs: { LAYER: 'sandbox', ONE: '1' },
  })
})
afterAll(() => server.stop())

const run = (command: string, options: CommandStartOpts & { background?: false } = {}) =>
  sandbox.commands.run(command, options)
const start = (command: string, options: CommandStartOpts = {}) =>
  sandbox.commands.run(command, { ...options, background: true })
const failure = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('results', () => {
  test('stdout, stderr and exit code 0 are told apart', async () => {
    expect(await run('echo out; echo err >&2')).toMatchObject({
      exitCode: 0,
      stdout: 'out\n',
      stderr: 'err\n',
    })
  })

  test('a non-zero exit is thrown with its code and output', async () => {
    const error = await failure(run('echo before; exit 7'))
    expect(error).toBeInstanceOf(CommandExitError)
    expect(error).toMatchObject({ exitCode: 7, stdout: 'before\n', error: 'exit status 7' })
  })

  test('a missing command ends with 127', async () => {
    expect(await failure(run('no-such-command'))).toMatchObject({ exitCode: 127 })
  })

  test('a command ended by a signal ends with -1 and the signal named', async () => {
    expect(await failure(run('kill -KILL $$'))).toMatchObject({ exitCode: -1, error: 'signal: killed' })
  })

  test('long output arrives whole, in order', async () => {
    const { stdout } = await run('seq 1 300000')
    expect(stdout.length).toBe(1_988_895)
    expect(stdout.endsWith('299999\n300000\n')).toBe(true)
  })

  test('characters cut in the middle of a write are put together', async () => {
    expect((await run(String.raw`printf '\303'; sleep 0.05; printf '\244'`)).stdout).toBe('ä')
  })

  test('stdio can be opened by its device name', async () => {
    const { stdout, stderr } = await run(
      'echo a > /dev/stdout; echo b > /dev/stderr; echo c | cat /dev/stdin',
    )
    expect([stdout, stderr]).toEqual(['a\nc\n', 'b\n'])
  })

  test('50 commands at once all succeed', async () => {
    const results = await Promise.all(Array.from({ length: 50 }, (_, i) => run(`echo ${i}`)))
    expect(results.map(({ stdout }) => stdout.trim())).toEqual(
      Array.from({ length: 50 }, (_, i) => String(i)),
    )
  })
})

describe('environment', () => {
  test("the call's variables win over the sandbox's", async () => {
    const { stdout } = await run('echo $LAYER $ONE $E2B_SANDBOX_ID $HOME $USER', { envs: { LAYER: 'call' } })
    expect(stdout.trim()).toBe(`call 1 ${sandbox.sandboxId} /home/user user`)
  })

  test('commands start in the home, or in cwd', async () => {
    expect((await run('pwd')).stdout).toBe('/home/user\n')
    await run('mkdir -p sub/dir')
    expect((await run('pwd', { cwd: 'sub/dir' })).stdout).toBe('/home/user/sub/dir\n')
    expect((await run('pwd', { cwd: '/tmp' })).stdout).toBe('/tmp\n')
  })

  test('a cwd that does not exist is refused by name', async () => {
    await expect(run('true', { cwd: '/nowhere' })).rejects.toThrow(/cwd '\/nowhere' does not exist/)
  })

  test('git, node, python3 and curl are there', async () => {
    const { stdout } = await run(
      'git --version && node --version && python3 --version && curl --version | head -1',
    )
    expect(stdout.split('\n')).toHaveLength(5)
  })
})

describe('background processes', () => {
  test('a client that goes away does not stop the process, and another connects to it', async () => {
    const started = await start('while ! [ -e go ]; do sleep 0.02; done; echo went; echo done > finished')
    await started.disconnect()
    const again = await sandbox.commands.connect(started.pid)
    await sandbox.files.write('go', '')
    expect((await again.wait()).stdout).toBe('went\n')
    expect(await sandbox.files.read('finished')).toBe('done\n')
  })

  test('a running process is listed, and not after it is killed', async () => {
    const started = await start('sleep 100', { envs: { MARK: 'x' } })
    const listed = (await sandbox.commands.list()).find(({ pid }) => pid === started.pid)
    expect(listed).toMatchObject({ cmd: '/bin/bash', args: ['-l', '-c', 'sleep 100'], envs: { MARK: 'x' } })
    expect(await started.kill()).toBe(true)
    await expect(run(`kill -0 ${started.pid}`)).rejects.toThrow(CommandExitError)
    expect(await failure(started.wait())).toMatchObject({ exitCode: -1, error: 'signal: killed' })
    expect((await sandbox.commands.list()).map(({ pid }) => pid)).not.toContain(started.pid)
    expect(await sandbox.commands.kill(started.pid)).toBe(false)
  })

  test('several clients get the same output', async () => {
    const started = await start('read line; echo got $line', { stdin: true })
    const others = await Promise.all([
      sandbox.commands.connect(started.pid),
      sandbox.commands.connect(started.pid),
    ])
    await sandbox.commands.sendStdin(started.pid, 'word\n')
    const results = await Promise.all([started, ...others].map((handle) => handle.wait()))
    expect(results.map(({ stdout }) => stdout)).toEqual(['got word\n', 'got word\n', 'got word\n'])
  })

  test('a process that ended can still be asked how', async () => {
    const started = await start('exit 4')
    expect(await failure(started.wait())).toMatchObject({ exitCode: 4 })
    const again = await sandbox.commands.connect(started.pid)
    expect(await failure(again.wait())).toMatchObject({ exitCode: 4 })
  })

  test('closing stdin ends a reader', async () => {
    const started = await start('cat', { stdin: true })
    await sandbox.commands.sendStdin(started.pid, 'text')
    await sandbox.commands.closeStdin(started.pid)
    expect((await started.wait()).stdout).toBe('text')
  })

  test('kill 0 in a command does not reach envd', async () => {
    await failure(run('kill -KILL 0'))
    expect((await run('echo alive')).stdout).toBe('alive\n')
  })
})

describe('timeouts', () => {
  test('a command over its timeout is killed and reported so', async () => {
    const started = Date.now()
    await expect(run('echo $$ > pid; exec sleep 100', { timeoutMs: 700 })).rejects.toThrow(TimeoutError)
    expect(Date.now() - started).toBeLessThan(50_000)
    // The client's own clock can be the first to end the call.
    await expect.poll(() => failure(run('kill -0 $(cat pid)'))).toBeInstanceOf(CommandExitError)
  })

  test('the timeout ends the stream even when a child holds the output open', async () => {
    const started = Date.now()
    await expect(run('sleep 100; true', { timeoutMs: 700 })).rejects.toThrow(TimeoutError)
    expect(Date.now() - started).toBeLessThan(50_000)
  })

  test('a timeout of 0 is none', async () => {
    expect((await run('sleep 1; echo ok', { timeoutMs: 0 })).stdout).toBe('ok\n')
  })
})
