import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Sandbox } from 'e2b'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openAuthority } from '../../src/local-sandbox/egress/authority.ts'
import type { HeaderRules } from '../../src/local-sandbox/egress/header-rules.ts'
import { startEchoServer } from '../support/echo-server.ts'
import { testGitHost, type TestGitHost } from '../support/git-host.ts'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'
import { startTlsFront } from '../support/tls-front.ts'

let folder: string
let git: TestGitHost
let echo: Awaited<ReturnType<typeof startEchoServer>>
let fronts: Awaited<ReturnType<typeof startTlsFront>>[]
let server: SandboxServer
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-transforms-'))
  const trusted = await openAuthority(join(folder, 'trusted'), join(folder, 'trust'))
  const unknown = await openAuthority(join(folder, 'unknown'), join(folder, 'distrust'))
  git = await testGitHost()
  await Promise.all(['http', 'https'].map((name) => git.demo(name)))
  echo = await startEchoServer()
  fronts = await Promise.all([
    startTlsFront(trusted, git.port),
    startTlsFront(trusted, echo.port),
    startTlsFront(unknown, echo.port),
  ])
  const ports = [git.port, echo.port, ...fronts.map(({ port }) => port)]
  server = await startSandboxServer({
    args: ports.flatMap((port) => ['--allow-host-loopback', `localhost:${port}`]),
    env: { NODE_EXTRA_CA_CERTS: join(folder, 'trust/extra.crt') },
  })
})
afterAll(async () => {
  await server.stop()
  for (const { stop } of fronts) stop()
  echo.stop()
  await git.cleanUp()
  await rm(folder, { recursive: true, force: true })
})

const setting = (headers: Record<string, string>) => ({ localhost: [{ transform: { headers } }] })
const basic = () => `Basic ${Buffer.from(`holdfast:${git.token}`).toString('base64')}`
const create = (rules: HeaderRules = setting({ Authorization: basic() }), network = {}) =>
  Sandbox.create({ ...server.connection, timeoutMs: 120_000, network: { rules, ...network } })
const echoed = async (sandbox: Sandbox, command: string) =>
  JSON.parse((await sandbox.commands.run(command)).stdout) as {
    method: string
    headers: Record<string, string>
    bytes: number
  }
const https = (front: number) => `https://localhost:${fronts[front]!.port}`

test.each([
  ['http', () => `http://localhost:${git.port}`],
  ['https', () => https(0)],
])('git clones and pushes megabytes over %s with a token that is not in the sandbox', async (name, base) => {
  const sandbox = await create()
  await sandbox.commands.run(
    `git clone -q ${base()}/${name}.git clone && cd clone && git checkout -q -b large && head -c 5000000 /dev/urandom > large &&
     git add . && git -c user.name=Test -c user.email=test@holdfast.invalid commit -q -m large && git push -q origin HEAD`,
  )
  const head = (await sandbox.commands.run('git rev-parse HEAD', { cwd: 'clone' })).stdout.trim()
  expect(await git.branchHead(name, 'large')).toBe(head)
  const secret = basic().slice('Basic '.length)
  const { stdout: found } = await sandbox.commands.run(
    `(cat /proc/[0-9]*/environ; find ~ /tmp /run -type f -exec cat {} +) 2>/dev/null | grep -caE '${git.token}|${secret}' || true`,
  )
  expect(found.trim()).toBe('0')
  expect(server.log()).not.toMatch(new RegExp(`${git.token}|${secret}`))
})

test('what the program sent under that name is replaced, in any case of letters', async () => {
  const sandbox = await create(setting({ 'X-Key': 'outside' }))
  const { headers } = await echoed(sandbox, `curl -sS -H 'x-kEY: inside' -H 'x-other: kept' ${https(1)}/`)
  expect(headers).toMatchObject({ 'x-key': 'outside', 'x-other': 'kept' })
})

test('bodies that wait for 100-continue, and chunked ones, arrive whole', async () => {
  const sandbox = await create(setting({ 'X-Key': 'outside' }))
  const upload = (more: string) =>
    `head -c 3000000 /dev/zero | curl -sS -X PUT ${more} --data-binary @- ${https(1)}/`
  expect(await echoed(sandbox, upload(`-H 'Expect: 100-continue'`))).toMatchObject({ bytes: 3_000_000 })
  expect(await echoed(sandbox, upload(`-H 'Transfer-Encoding: chunked'`))).toMatchObject({ bytes: 3_000_000 })
})

test('programs of every kind trust the certificate that stands in', async () => {
  const sandbox = await create(setting({ 'X-Key': 'outside' }))
  const python = `python3 -c 'import urllib.request; print(urllib.request.urlopen("${https(1)}/").read().decode())'`
  expect((await echoed(sandbox, python)).headers['x-key']).toBe('outside')
})

test('a host whose certificate this machine does not trust gets no request', async () => {
  const sandbox = await create(setting({ 'X-Key': 'outside' }))
  const { stdout } = await sandbox.commands.run(`curl -sS -w ' %{http_code}' ${https(2)}/`)
  expect(stdout).toMatch(/certificate[^]* 502$/)
})

test('a request in the connection whose Host is another gets no header and goes nowhere', async () => {
  const sandbox = await create(setting({ 'X-Key': 'outside' }))
  const { stdout } = await sandbox.commands.run(
    `curl -sS -o /dev/null -w '%{http_code}' -H 'Host: other.example' ${https(1)}/`,
  )
  expect(stdout).toBe('421')
})

test('rules open no way to a host that is denied', async () => {
  const sandbox = await create(setting({ 'X-Key': 'outside' }), { denyOut: ['0.0.0.0/0'] })
  const { stdout } = await sandbox.commands.run(
    `curl -sS -o /dev/null -w '%{http_connect}' ${https(1)}/ || true`,
  )
  expect(stdout).toBe('403')
})

test('info tells which headers are set and not to what, and the key stays with the server', async () => {
  const sandbox = await create(setting({ 'X-Key': 'outside' }))
  const { network } = await sandbox.getInfo()
  expect(network?.rules).toEqual(setting({ 'X-Key': '***' }))
  const key = join(server.dataDir, 'authority')
  expect((await stat(key)).mode & 0o077).toBe(0)
  expect((await stat(join(key, 'authority.pem'))).mode & 0o077).toBe(0)
})

test('rules hold after the server was killed and restarted', async () => {
  const sandbox = await create(setting({ 'X-Key': 'outside' }))
  await server.kill()
  await server.restart()
  expect((await echoed(sandbox, `curl -sS ${https(1)}/`)).headers['x-key']).toBe('outside')
})

describe('an update', () => {
  const update = (sandbox: Sandbox, network: object) => sandbox.updateNetwork(network)

  test('replaces the rules, and cuts what was open under old ones', async () => {
    const sandbox = await create(setting({ 'X-Key': 'outside' }))
    const open = await sandbox.commands.run(`curl -sSN ${https(1)}/open`, { background: true })
    await expect.poll(() => open.stdout).toContain('begun')
    await update(sandbox, {})
    await expect(open.wait()).rejects.toThrow(/exit status/)
    const { headers } = await echoed(sandbox, `curl -sS http://localhost:${echo.port}/`)
    expect(headers['x-key']).toBeUndefined()
    await update(sandbox, { rules: setting({ 'X-New': 'now' }) })
    expect((await echoed(sandbox, `curl -sS ${https(1)}/`)).headers['x-new']).toBe('now')
  })

  test('that denies what is open cuts it, and leaves what is allowed', async () => {
    const sandbox = await create({})
    const open = await sandbox.commands.run(`curl -sSN http://localhost:${echo.port}/open`, {
      background: true,
    })
    await expect.poll(() => open.stdout).toContain('begun')
    await update(sandbox, { denyOut: ['10.0.0.0/8'] })
    await sandbox.commands.run('true')
    expect(open.exitCode).toBeUndefined()
    await update(sandbox, { denyOut: ['0.0.0.0/0'] })
    await expect(open.wait()).rejects.toThrow(/exit status/)
  })
})

test.each([
  ['an address for a host', { '10.0.0.1': [] }, /is no host name/],
  ['a bare wildcard', { '*': [] }, /is no host name/],
  ['a header that frames the message', setting({ 'Content-Length': '1' }), /can't be set by a rule/],
  ['a value of two lines', setting({ 'X-Key': 'a\r\nX-More: b' }), /HTTP does not allow/],
  [
    'a placeholder nobody fills',
    setting({ Authorization: 'Bearer ${e2b.identity.tokens.a}' }),
    /placeholder/,
  ],
])('%s is refused with the reason', async (_name, rules, reason) => {
  await expect(create(rules)).rejects.toThrow(reason)
})
