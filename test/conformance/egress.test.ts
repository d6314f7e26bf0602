import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Sandbox } from 'e2b'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testGitHost, type TestGitHost } from '../support/git-host.ts'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

let git: TestGitHost
let server: SandboxServer
beforeAll(async () => {
  git = await testGitHost()
  await git.demo('demo')
  server = await startSandboxServer({
    args: ['localhost', '127.0.0.1'].flatMap((name) => ['--allow-host-loopback', `${name}:${git.port}`]),
  })
})
afterAll(async () => {
  await server.stop()
  await git.cleanUp()
})

const create = (options = {}) => Sandbox.create({ ...server.connection, timeoutMs: 120_000, ...options })
const clone = (url: string) => `git clone -q ${url} clone && git -C clone log --oneline | wc -l`

test('git clones from and pushes to an allowed port of the host', async () => {
  const sandbox = await create()
  const { stdout } = await sandbox.commands.run(clone(git.urlWith('demo')))
  expect(Number(stdout)).toBeGreaterThan(1)
  await sandbox.commands.run(
    'git checkout -q -b from-sandbox && git -c user.name=Test -c user.email=test@holdfast.invalid commit -q --allow-empty -m pushed && git push -q origin HEAD',
    { cwd: 'clone' },
  )
  const head = (await sandbox.commands.run('git rev-parse HEAD', { cwd: 'clone' })).stdout.trim()
  expect(await git.branchHead('demo', 'from-sandbox')).toBe(head)
})

test('another port of the host stays refused', async () => {
  const listener = createServer((_request, response) => response.end('reached'))
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const sandbox = await create()
  const { port } = listener.address() as AddressInfo
  const { stdout } = await sandbox.commands.run(`curl -sS http://127.0.0.1:${port}`)
  listener.close()
  expect(stdout).toContain('is an address of this host')
})

test.each([
  ['allow_internet_access false', { allowInternetAccess: false }],
  ['all traffic denied', { network: { denyOut: ['0.0.0.0/0'] } }],
])('with %s even the allowed port of the host is refused', async (_name, options) => {
  const sandbox = await create(options)
  await expect(sandbox.commands.run(clone(git.urlWith('demo')))).rejects.toThrow(/exit status 128/)
})

test('with all traffic denied but the address allowed, git clones', async () => {
  const sandbox = await create({ network: { denyOut: ['0.0.0.0/0'], allowOut: ['127.0.0.1'] } })
  expect(Number((await sandbox.commands.run(clone(git.urlWith('demo')))).stdout)).toBeGreaterThan(1)
})

test('egress works again after the server was killed and restarted', async () => {
  const sandbox = await create()
  await server.kill()
  await server.restart()
  expect(Number((await sandbox.commands.run(clone(git.urlWith('demo')))).stdout)).toBeGreaterThan(1)
})

test('rules changed while the sandbox runs hold from then on', async () => {
  const sandbox = await create()
  const answer = await fetch(`${server.apiUrl}/sandboxes/${sandbox.sandboxId}/network`, {
    method: 'PUT',
    headers: { 'x-api-key': server.apiKey, 'content-type': 'application/json' },
    body: JSON.stringify({ denyOut: ['127.0.0.1'] }),
  })
  expect(answer.status).toBe(204)
  await expect(sandbox.commands.run(clone(git.urlWith('demo')))).rejects.toThrow(/exit status 128/)
})
