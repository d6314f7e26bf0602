import { RateLimitError, Sandbox, ServiceBusyError } from 'e2b'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

let server: SandboxServer
beforeAll(async () => {
  server = await startSandboxServer({ args: ['--faults'] })
})
afterEach(() => server.faults.clear())
afterAll(() => server.stop())

const create = (options = {}) => Sandbox.create({ ...server.connection, timeoutMs: 120_000, ...options })
const creation = { method: 'POST', path: '^/v2/sandboxes$' }

test('a 429 with Retry-After is waited for and retried by the client, one without is its error', async () => {
  await server.faults.arm({ kind: 'answer', status: 429, retryAfter: 0, times: 2, ...creation })
  await create()
  expect(await server.faults.fired()).toEqual([2])
  await server.faults.arm({ kind: 'answer', status: 429, ...creation })
  await expect(create()).rejects.toThrow(RateLimitError)
  await create()
})

test('a 503 is the client told that the service is busy, and nothing is made', async () => {
  const metadata = { group: `busy ${Math.random()}` }
  await server.faults.arm({ kind: 'answer', status: 503, ...creation })
  await expect(create({ metadata })).rejects.toThrow(ServiceBusyError)
  expect(await Sandbox.list({ ...server.connection, query: { metadata } }).nextItems()).toEqual([])
})

test('a 409 on pause reads as paused already, though it runs', async () => {
  const sandbox = await create()
  await server.faults.arm({ kind: 'answer', status: 409, path: '/pause$', sandboxId: sandbox.sandboxId })
  expect(await sandbox.pause()).toBe(false)
  expect((await sandbox.getInfo()).state).toBe('running')
})

test('a create whose reply is lost fails, and the sandbox is there', async () => {
  const metadata = { group: `lost ${Math.random()}` }
  await server.faults.arm({ kind: 'loseReply', ...creation })
  await expect(create({ metadata })).rejects.toThrow()
  const found = await Sandbox.list({ ...server.connection, query: { metadata } }).nextItems()
  expect(found).toHaveLength(1)
})

test('the second match only, when one is to be let by', async () => {
  const sandbox = await create()
  await server.faults.arm({ kind: 'answer', status: 500, skip: 1, sandboxId: sandbox.sandboxId })
  await sandbox.getInfo()
  await expect(sandbox.getInfo()).rejects.toThrow('500')
  await sandbox.getInfo()
})

test('latency delays a call as long as asked', async () => {
  const sandbox = await create()
  await server.faults.arm({ kind: 'latency', ms: 300, sandboxId: sandbox.sandboxId })
  const before = performance.now()
  await sandbox.getInfo()
  expect(performance.now() - before).toBeGreaterThanOrEqual(299)
})

test('a call that latency holds up goes on when the faults are disarmed', async () => {
  const sandbox = await create()
  await server.faults.arm({ kind: 'latency', ms: 60_000, sandboxId: sandbox.sandboxId })
  const info = sandbox.getInfo()
  await expect.poll(() => server.faults.fired()).toEqual([1])
  await server.faults.clear()
  expect((await info).sandboxId).toBe(sandbox.sandboxId)
})

test.each([
  ['bytes', { afterBytes: 2_000 }],
  ['milliseconds', { afterMs: 1_500 }],
])('a stream cut after so many %s fails the client, while the command goes on', async (_unit, cut) => {
  const sandbox = await create()
  await server.faults.arm({ kind: 'cutStream', path: '/process.Process/Start$', ...cut })
  let seen = ''
  const loop = 'for i in $(seq 100); do echo line $i; sleep 0.005; done; sleep 2; echo done > done'
  await expect(sandbox.commands.run(loop, { onStdout: (text) => void (seen += text) })).rejects.toThrow()
  expect(seen).toContain('line 1\n')
  expect(await server.faults.fired()).toEqual([1])
  await expect.poll(() => sandbox.files.exists('done')).toBe(true)
})

test('an unreachable sandbox resets connections while the fault lasts, and is as before after it', async () => {
  const sandbox = await create()
  const { sandboxId } = sandbox
  await server.faults.arm({ kind: 'unreachable', how: 'reset', sandboxId, forMs: 500 })
  await expect(sandbox.files.write('a', 'b')).rejects.toThrow()
  expect((await sandbox.getInfo()).state).toBe('running')
  await expect
    .poll(() =>
      sandbox.files.write('a', 'b').then(
        () => true,
        () => false,
      ),
    )
    .toBe(true)
})

test('a sandbox that hangs leaves the client to its own request timeout', async () => {
  const sandbox = await create()
  await server.faults.arm({ kind: 'unreachable', how: 'hang', sandboxId: sandbox.sandboxId })
  await expect(sandbox.files.list('.', { requestTimeoutMs: 200 })).rejects.toThrow()
  await sandbox.files.list('.')
})

test('a sandbox killed in the middle of a command is gone', async () => {
  const sandbox = await create()
  const { sandboxId } = sandbox
  await server.faults.arm({ kind: 'killSandbox', afterMs: 1_500, path: '/process.Process/Start$', sandboxId })
  await expect(sandbox.commands.run('sleep 100')).rejects.toThrow(/killed|end of life|terminated/i)
  await expect.poll(() => Sandbox.kill(sandboxId, server.connection)).toBe(false)
})

test('the second resume loses what was written since the first pause', async () => {
  const sandbox = await create()
  await server.faults.arm({ kind: 'loseFiles', sandboxId: sandbox.sandboxId, skip: 1 })
  await sandbox.files.write('early', '1')
  await sandbox.pause()
  await sandbox.connect()
  await sandbox.files.write('late/file', '2')
  await sandbox.files.write('early', '2')
  expect(await sandbox.files.read('late/file')).toBe('2')
  await sandbox.pause()
  await sandbox.connect()
  expect(await sandbox.files.exists('late')).toBe(false)
  expect(await sandbox.files.read('early')).toBe('1')
  expect((await sandbox.files.getInfo('early')).owner).toBe('user')
})

test('faults are refused where they make no sense, and told by /health and the log', async () => {
  await expect(server.faults.arm({ kind: 'answer', status: 200 })).rejects.toThrow('status')
  await expect(server.faults.arm({ kind: 'latency', ms: 1, path: '(' })).rejects.toThrow('path')
  await expect(server.faults.arm({ kind: 'cutStream' })).rejects.toThrow('afterBytes or afterMs')
  expect(await (await fetch(`${server.apiUrl}/health`)).json()).toMatchObject({ faults: 'on' })
  expect(server.log()).toContain('for tests only')
  expect((await fetch(`${server.apiUrl}/__faults`)).status).toBe(401)
})

test('without the flag faults are refused', async () => {
  const plain = await startSandboxServer()
  onTestFinished(() => plain.stop())
  await expect(plain.faults.arm({ kind: 'latency', ms: 1 })).rejects.toThrow('--faults')
  expect(await (await fetch(`${plain.apiUrl}/health`)).json()).not.toHaveProperty('faults')
})
