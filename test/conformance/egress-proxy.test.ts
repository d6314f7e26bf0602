import { Sandbox } from 'e2b'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startEchoServer } from '../support/echo-server.ts'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'
import { startSocksServer } from '../support/socks-server.ts'

const [username, password] = ['proxy-user', 'proxy-secret']

let echo: Awaited<ReturnType<typeof startEchoServer>>
let socks: Awaited<ReturnType<typeof startSocksServer>>
let server: SandboxServer
beforeAll(async () => {
  echo = await startEchoServer()
  socks = await startSocksServer(username, password)
  const allowed = [
    `127.0.0.1:${socks.port}`,
    `127.0.0.1:${echo.port}`,
    `localhost:${echo.port}`,
    '127.0.0.1:1',
  ]
  server = await startSandboxServer({ args: allowed.flatMap((at) => ['--allow-host-loopback', at]) })
})
afterAll(async () => {
  await server.stop()
  socks.stop()
  echo.stop()
})

const through = (egressProxy: object, more = {}) =>
  Sandbox.create({
    ...server.connection,
    timeoutMs: 60_000,
    network: { egressProxy: egressProxy as { address: string }, ...more },
  })
const address = () => `127.0.0.1:${socks.port}`
const get = (host: string, more = '') =>
  `curl -sS -o /dev/null -w '%{http_code}' ${more} http://${host}:${echo.port}/`

test('connections go through the proxy, by address or, where a name is allowed, by name', async () => {
  const network = { denyOut: ['0.0.0.0/0'], allowOut: ['127.0.0.1', 'localhost'] }
  const sandbox = await through({ address: address(), username, password }, network)
  expect((await sandbox.commands.run(get('127.0.0.1'))).stdout).toBe('200')
  expect((await sandbox.commands.run(get('localhost', '--proxytunnel'))).stdout).toBe('200')
  expect(socks.asked).toEqual([`127.0.0.1:${echo.port}`, `localhost:${echo.port}`])
})

test('the rules decide before the proxy is asked', async () => {
  const before = socks.asked.length
  const sandbox = await through({ address: address(), username, password }, { denyOut: ['0.0.0.0/0'] })
  expect((await sandbox.commands.run(get('127.0.0.1'))).stdout).toBe('403')
  expect(socks.asked).toHaveLength(before)
})

test.each([
  ['refuses the password', () => ({ address: address(), username, password: 'wrong' })],
  ['is not there', () => ({ address: '127.0.0.1:1' })],
  ['is an address of this host that was not opened', () => ({ address: '127.0.0.1:2' })],
])('nothing gets out where the proxy %s', async (_name, proxy) => {
  const sandbox = await through(proxy())
  expect((await sandbox.commands.run(get('127.0.0.1'))).stdout).toBe('502')
})

test('info tells its address and user, and no password is told or logged', async () => {
  const sandbox = await through({ address: address(), username, password })
  expect((await sandbox.getInfo()).network?.egressProxy).toEqual({ address: address(), username })
  expect(server.log()).not.toContain(password)
})

test.each([
  ['an address without a port', { address: 'proxy.example.com' }, /is no host:port/],
  ['a password without a user', { address: 'proxy.example.com:1080', password }, /give the username/],
])('%s is refused with the reason', async (_name, proxy, reason) => {
  await expect(through(proxy)).rejects.toThrow(reason)
})
