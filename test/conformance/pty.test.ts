import { CommandExitError, Sandbox, type CommandHandle } from 'e2b'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

let server: SandboxServer
let sandbox: Sandbox
beforeAll(async () => {
  server = await startSandboxServer()
  sandbox = await Sandbox.create({ ...server.connection, timeoutMs: 300_000, envs: { LAYER: 'sandbox' } })
})
afterAll(() => server.stop())

const encode = (text: string) => new TextEncoder().encode(text)

async function terminal(envs: Record<string, string> = {}, size = { cols: 80, rows: 24 }) {
  const chunks: Uint8Array[] = []
  const output = () => Buffer.concat(chunks).toString()
  const handle = await sandbox.pty.create({
    ...size,
    envs,
    onData: (data) => void chunks.push(data),
  })
  const type = (text: string) => sandbox.pty.sendInput(handle.pid, encode(text))
  return { handle, output, type }
}
const ended = (handle: CommandHandle) => handle.wait().catch((error: unknown) => error)

test('a terminal is the one of an interactive shell, with its size and its variables', async () => {
  const { handle, output, type } = await terminal({ CALL: 'call' })
  await type('tty; stty size; echo $LAYER-$CALL-$TERM-$(id -un)\nexit\n')
  expect(await handle.wait()).toMatchObject({ exitCode: 0 })
  expect(output()).toMatch(/\/dev\/pts\/\d+\r\n/)
  expect(output()).toContain('24 80\r\n')
  expect(output()).toContain('sandbox-call-xterm-256color-user\r\n')
})

test("a terminal may have no size, as a client's own on a serial line has none", async () => {
  const { handle, output, type } = await terminal({}, { cols: 0, rows: 0 })
  await type('stty size\nexit\n')
  await handle.wait()
  expect(output()).toContain('0 0\r\n')
})

test('a resize is what programs see', async () => {
  const { handle, output, type } = await terminal()
  await type('trap "stty size" WINCH; echo rea""dy\n')
  await expect.poll(output).toContain('ready\r\n')
  await sandbox.pty.resize(handle.pid, { cols: 101, rows: 31 })
  await type('stty size\nexit\n')
  await handle.wait()
  expect(output()).toContain('31 101\r\n')
})

test('the exit code is told', async () => {
  const { handle, type } = await terminal()
  await type('exit 5\n')
  const error = await ended(handle)
  expect(error).toBeInstanceOf(CommandExitError)
  expect(error).toMatchObject({ exitCode: 5 })
})

test('Ctrl+C interrupts the program in front, and job control is there', async () => {
  const { handle, output, type } = await terminal()
  await type('cat\n')
  // What comes while the shell still reads isn't echoed by the terminal.
  await sandbox.commands.run('until grep -qsx cat /proc/[0-9]*/comm; do sleep 0.05; done')
  await type('echoed\n')
  // By the terminal, and by cat.
  await expect.poll(output).toMatch(/echoed\r\n[^]*echoed\r\n/)
  await type('\u0003')
  // Until the shell asks again, what is typed may still be read by cat, and go with it.
  await expect.poll(() => output().split('^C')[1] ?? '').toMatch(/[$#] [^\r\n]*$/)
  await type('echo af""ter $?\nexit\n')
  await handle.wait()
  expect(output()).toContain('after 130\r\n')
  expect(output()).not.toMatch(/no job control|cannot set terminal/)
})

test('no other command holds a terminal, nor one terminal another', async () => {
  const [first, second] = [await terminal(), await terminal()]
  const { stdout } = await sandbox.commands.run('ls -l /proc/self/fd')
  expect(stdout).toContain('/proc/')
  expect(stdout).not.toContain('ptmx')
  await second.type('ls -l /proc/$$/fd; exit\n')
  await second.handle.wait()
  expect(second.output()).toContain('/dev/pts/')
  expect(second.output()).not.toContain('ptmx')
  await first.handle.kill()
})

test('a killed terminal ends, and is not there any more', async () => {
  const { handle } = await terminal()
  expect(await sandbox.pty.kill(handle.pid)).toBe(true)
  expect(await ended(handle)).toMatchObject({ exitCode: -1, error: 'signal: killed' })
  expect(await sandbox.pty.kill(handle.pid)).toBe(false)
})

test('another client connects to the same terminal', async () => {
  const { handle, type } = await terminal()
  await handle.disconnect()
  let seen = ''
  const again = await sandbox.pty.connect(handle.pid, {
    onData: (data) => void (seen += new TextDecoder().decode(data)),
  })
  await type('echo se""cond\nexit\n')
  await again.wait()
  expect(seen).toContain('second\r\n')
})

test('long output arrives whole before the end', async () => {
  const { handle, output, type } = await terminal()
  await type('stty -echo; seq 1 50000; echo la""st\nexit\n')
  await handle.wait()
  expect(output().slice(-400)).toContain('49999\r\n50000\r\nlast\r\n')
})

test('a program left behind in the background does not keep the terminal', async () => {
  const { handle, type } = await terminal()
  await type('sleep 300 &\ndisown\nexit\n')
  expect(await handle.wait()).toMatchObject({ exitCode: 0 })
})

test('a resize of a process without a terminal is refused, and so is its stdin as pty', async () => {
  const command = await sandbox.commands.run('sleep 300', { background: true })
  await expect(sandbox.pty.resize(command.pid, { cols: 10, rows: 10 })).rejects.toThrow(/tty not assigned/)
  await expect(sandbox.pty.sendInput(command.pid, encode('x'))).rejects.toThrow(/no PTY; send stdin/)
  await command.kill()
})
