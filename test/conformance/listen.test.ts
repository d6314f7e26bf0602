import { networkInterfaces } from 'node:os'
import { text } from 'node:stream/consumers'
import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { AuthenticationError, Sandbox } from 'e2b'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

/** Another address of this machine than the default one: all of 127.0.0.0/8 is loopback. */
const elsewhere = (url: string) => url.replace('127.0.0.1', '127.0.0.2')

let everywhere: SandboxServer
let connection: SandboxServer['connection']
let sandbox: Sandbox
beforeAll(async () => {
  everywhere = await startSandboxServer({ args: ['--host', '0.0.0.0'] })
  const { apiUrl, sandboxUrl, apiKey } = everywhere
  connection = { apiUrl: elsewhere(apiUrl), sandboxUrl: elsewhere(sandboxUrl), apiKey }
  sandbox = await Sandbox.create({ ...connection, timeoutMs: 300_000 })
})
afterAll(() => everywhere.stop())

describe('a server that listens everywhere', () => {
  test('serves clients at another address of the machine', async () => {
    expect(connection.apiUrl).toContain('127.0.0.2')
    expect((await sandbox.commands.run('echo here')).stdout).toBe('here\n')
  })

  test('refuses who has no key there, and who has no token of the sandbox', async () => {
    const stranger = { ...connection, apiKey: `e2b_${'0'.repeat(40)}` }
    await expect(Sandbox.connect(sandbox.sandboxId, stranger)).rejects.toThrow(AuthenticationError)
    const calls: [string, Record<string, string>][] = [
      ['/v2/sandboxes', {}],
      ['/templates', {}],
      ['/__faults', {}],
      ['/files?path=/etc/hostname', { 'e2b-sandbox-id': sandbox.sandboxId, 'e2b-sandbox-port': '49983' }],
    ]
    for (const [path, headers] of calls)
      expect((await fetch(`${connection.apiUrl}${path}`, { headers })).status, path).toBe(401)
  })

  test('is not reached from a sandbox, at none of its addresses', async () => {
    const { port } = new URL(connection.apiUrl)
    const own = Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address))
    const hosts = ['127.0.0.2', ...own.filter((address) => !address.includes(':'))]
    for (const host of hosts) {
      const { stdout } = await sandbox.commands.run(
        `curl -s -o /dev/null -w '%{http_code}' --noproxy '' --max-time 10 http://${host}:${port}/health || true`,
      )
      expect(stdout, host).not.toBe('200')
    }
  })
})

test('a server that was not told to listens on 127.0.0.1 only', async () => {
  const server = await startSandboxServer()
  try {
    expect((await fetch(`${server.apiUrl}/health`)).status).toBe(200)
    await expect(fetch(`${elsewhere(server.apiUrl)}/health`)).rejects.toThrow('fetch failed')
  } finally {
    await server.stop()
  }
})

test.each([
  ['no IP address', 'localhost', /--host.*give an IP address/],
  ["somebody else's", '192.0.2.1', /--host: 192\.0\.2\.1 is no address of this machine; give/],
])('an address that is %s is refused with what to do', async (_, host, message) => {
  const args = ['bin/run.mjs', 'src/local-sandbox/main.ts', '--host', host]
  const child = spawn(process.execPath, [...args, '--data-dir', `${everywhere.dataDir}/other`], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
  })
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit') as Promise<[number]>])
  expect(stderr).toMatch(message)
  expect(code).toBe(1)
})
