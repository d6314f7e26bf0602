import { Sandbox } from 'e2b'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { descendants } from '../../src/local-sandbox/isolation/processes.ts'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

let server: SandboxServer
beforeAll(async () => {
  server = await startSandboxServer()
})
afterAll(() => server.stop())

const create = (options = {}) => Sandbox.create({ ...server.connection, timeoutMs: 120_000, ...options })
// Read on the host, since a paused sandbox answers nothing.
const onDisk = (sandbox: Sandbox, name: string) => {
  const path = join(server.dataDir, 'sandboxes', sandbox.sandboxId, 'disk/home', name)
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}
const counting = 'i=0; while true; do i=$((i+1)); echo $i > counter; sleep 0.01; done'

/** Two processes that talk over a connection without a rest; one counts what it was answered. */
const TALKING = `import os, socket
s = socket.create_server(('127.0.0.1', 0))
if os.fork() == 0:
    c = socket.create_connection(s.getsockname())
    while True: c.sendall(c.recv(1))
c, _ = s.accept()
answers = 0
while True:
    c.sendall(b'.')
    answers += len(c.recv(1))
    with open('counter', 'w') as file: file.write(str(answers))`

/** All processes of a sandbox, as the host sees them. */
function processes({ sandboxId }: Sandbox) {
  const record = readFileSync(join(server.dataDir, 'records', `${sandboxId}.json`), 'utf8')
  return descendants((JSON.parse(record) as { process: { pid: number } }).process.pid)
}

/** What all processes of a sandbox have had of the processors, in clock ticks, as the host counts it. */
function processorTime(sandbox: Sandbox): number {
  return processes(sandbox)
    .map(({ pid }) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' '))
    .reduce((sum, fields) => sum + Number(fields[11]) + Number(fields[12]), 0)
}

test('a paused sandbox uses no processor time, and goes on with the same pids and connections after', async () => {
  const sandbox = await create()
  await sandbox.files.write('talking.py', TALKING)
  const talking = await sandbox.commands.run('exec python3 talking.py', { background: true, timeoutMs: 0 })
  const start = processorTime(sandbox)
  await expect.poll(() => Number(onDisk(sandbox, 'counter'))).toBeGreaterThan(5)
  await expect.poll(() => processorTime(sandbox)).toBeGreaterThan(start)
  expect(await sandbox.pause()).toBe(true)
  const [at, used] = [onDisk(sandbox, 'counter'), processorTime(sandbox)]
  // Long enough for thousands of counts, and 50 ticks: what is shown is that there are none.
  await delay(500)
  expect(onDisk(sandbox, 'counter')).toBe(at)
  expect(processorTime(sandbox)).toBe(used)
  expect(await sandbox.isRunning()).toBe(false)
  expect(await sandbox.pause()).toBe(false)

  await sandbox.connect()
  expect((await sandbox.commands.list()).map(({ pid }) => pid)).toContain(talking.pid)
  await expect.poll(() => Number(onDisk(sandbox, 'counter'))).toBeGreaterThan(Number(at) + 5)
  await sandbox.kill()
})

test('processes outside envd freeze too, however deep and whatever their session', async () => {
  const sandbox = await create()
  await sandbox.commands.run(`setsid bash -c '(${counting}) &' > /dev/null 2>&1 < /dev/null`)
  await expect.poll(() => Number(onDisk(sandbox, 'counter'))).toBeGreaterThan(5)
  await sandbox.pause()
  const at = onDisk(sandbox, 'counter')
  await delay(300)
  expect(onDisk(sandbox, 'counter')).toBe(at)
})

test('a process that was stopped before the pause stays stopped after the resume', async () => {
  const sandbox = await create()
  const { pid } = await sandbox.commands.run('sleep 100', { background: true })
  await sandbox.commands.run(`kill -STOP ${pid}`)
  await sandbox.pause()
  await sandbox.connect()
  expect((await sandbox.commands.run(`cut -d' ' -f3 /proc/${pid}/stat`)).stdout).toBe('T\n')
})

test('a stopped child is not noticed by the shell that waits for it', async () => {
  const sandbox = await create()
  const job = await sandbox.commands.run('set -m; sleep 0.8; echo code $? > code', { background: true })
  await sandbox.pause()
  await sandbox.connect()
  await sandbox.commands.connect(job.pid).then((handle) => handle.wait())
  expect(await sandbox.files.read('code')).toBe('code 0\n')
})

test("a command's timeout does not count the pause", async () => {
  const sandbox = await create()
  const job = await sandbox.commands.run('sleep 2; echo survived > result', {
    background: true,
    timeoutMs: 8_000,
  })
  await sandbox.pause()
  await delay(8_500)
  await sandbox.connect()
  await sandbox.commands.connect(job.pid).then((handle) => handle.wait())
  expect(await sandbox.files.read('result')).toBe('survived\n')
})

test('streams open at the pause are cut, and the client is told', async () => {
  const sandbox = await create()
  const job = await sandbox.commands.run('sleep 100', { background: true })
  const outcome = job.wait().catch((error: Error) => error.message)
  await sandbox.pause()
  expect(await outcome).toMatch(/killed|end of life|terminated/i)
})

test('after a pause without memory the disk is there, and the processes are not', async () => {
  const sandbox = await create({ envs: { KEPT: 'env' } })
  await sandbox.files.write('kept', 'disk')
  const { pid } = await sandbox.commands.run('exec sleep 1000', { background: true, timeoutMs: 0 })
  const bootId = (await sandbox.commands.run('cat /proc/sys/kernel/random/boot_id')).stdout
  expect(await sandbox.pause({ keepMemory: false })).toBe(true)
  await sandbox.connect()
  expect(await sandbox.files.read('kept')).toBe('disk')
  expect((await sandbox.commands.list()).map((process) => process.pid)).not.toContain(pid)
  expect((await sandbox.commands.run('echo $KEPT; pgrep -x sleep | wc -l')).stdout).toBe('env\n0\n')
  expect((await sandbox.commands.run('cat /proc/sys/kernel/random/boot_id')).stdout).not.toBe(bootId)
})

test('traffic resumes a paused sandbox with autoResume, and only that', async () => {
  const lifecycle = (autoResume: boolean) => ({ lifecycle: { onTimeout: 'pause' as const, autoResume } })
  const [wakes, sleeps] = await Promise.all([create(lifecycle(true)), create(lifecycle(false))])
  await Promise.all([wakes.pause(), sleeps.pause()])
  expect((await wakes.commands.run('echo awake')).stdout).toBe('awake\n')
  await expect(sleeps.commands.run('echo awake')).rejects.toThrow()
  expect((await sleeps.getInfo()).state).toBe('paused')
})

test('pause, resume and kill of 10 sandboxes at once leave none in between', async () => {
  const all = await Promise.all(Array.from({ length: 10 }, () => create()))
  expect(await Promise.all(all.map((sandbox) => sandbox.pause()))).toEqual(all.map(() => true))
  await Promise.all(all.map((sandbox) => sandbox.connect()))
  const outputs = await Promise.all(all.map((sandbox) => sandbox.commands.run('echo ok')))
  expect(outputs.every(({ stdout }) => stdout === 'ok\n')).toBe(true)
  expect(await Promise.all(all.map((sandbox) => sandbox.kill()))).toEqual(all.map(() => true))
})

const SILENT = `import socket
s = socket.create_server(('', 8000))
print('listens', flush=True)
c, _ = s.accept()
c.recv(10)
print('was asked', flush=True)
c.recv(10 ** 6)
c.recv(1)`

test.each(['pause', 'kill'] as const)(
  'a request that waits for its answer at a %s is told that the sandbox is gone',
  async (end) => {
    const sandbox = await create()
    await sandbox.files.write('silent.py', SILENT)
    const lines = new ReadableStream<string>({
      start: (controller) =>
        void sandbox.commands.run('python3 silent.py', {
          background: true,
          onStdout: (text) => controller.enqueue(text),
        }),
    }).getReader()
    expect((await lines.read()).value).toBe('listens\n')
    const headers = { 'e2b-sandbox-id': sandbox.sandboxId, 'e2b-sandbox-port': '8000' }
    const asked = fetch(server.sandboxUrl, { headers })
    expect((await lines.read()).value).toBe('was asked\n')
    await sandbox[end]()
    const answer = await asked
    expect(answer.status).toBe(502)
    expect(await answer.json()).toMatchObject({ message: 'The sandbox was not found' })
  },
)

describe('while the way to a port is being opened', () => {
  const signal = (pids: number[], name: NodeJS.Signals) => pids.forEach((pid) => process.kill(pid, name))

  /** A request for a port of a new sandbox, which gets no further than envd, since that stands still. */
  async function held(path: string, headers: Record<string, string> = {}) {
    const sandbox = await create()
    await sandbox.commands.run('python3 -m http.server 8000 2> asked', { background: true, timeoutMs: 0 })
    const to = { 'e2b-sandbox-id': sandbox.sandboxId, 'e2b-sandbox-port': '8000' }
    const status = async () => (await fetch(server.sandboxUrl, { headers: to })).status
    await expect.poll(status).toBe(200)
    const pids = processes(sandbox).map(({ pid }) => pid)
    signal(pids, 'SIGSTOP')
    const request = httpRequest(server.sandboxUrl + path, { headers: { ...to, ...headers }, agent: false })
    const answered = once(request, 'response')
    answered.catch(() => undefined)
    await new Promise<void>((sent) => request.end(sent))
    // The server reads what was sent first, first.
    expect((await fetch(`${server.apiUrl}/health`)).status).toBe(200)
    return { sandbox, answered, status, goOn: () => signal(pids, 'SIGCONT') }
  }

  test('a pause answers the request, which reaches no program after the resume', async () => {
    const { sandbox, answered, status, goOn } = await held('/held')
    await sandbox.pause()
    expect(await answered).toMatchObject([{ statusCode: 502 }])
    goOn()
    await sandbox.connect()
    expect(await status()).toBe(200)
    expect(await sandbox.files.read('asked')).not.toContain('/held')
  })

  test('a kill answers the request, and the server goes on', async () => {
    const { sandbox, answered } = await held('/held')
    await sandbox.kill()
    expect(await answered).toMatchObject([{ statusCode: 502 }])
    expect(await (await create()).isRunning()).toBe(true)
  })

  test.each(['pause', 'kill'] as const)('a %s cuts a websocket', async (end) => {
    const { sandbox, answered, goOn } = await held('/', { connection: 'Upgrade', upgrade: 'websocket' })
    await sandbox[end]()
    if (end === 'pause') goOn()
    await expect(answered).rejects.toMatchObject({ code: 'ECONNRESET' })
  })
})
