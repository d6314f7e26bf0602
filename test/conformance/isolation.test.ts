import { createServer, type Server } from 'node:http'
import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Sandbox } from 'e2b'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

let server: SandboxServer
let sandbox: Sandbox
let other: Sandbox
let folder: string
let listener: Server
let port: number
/** Whether the sandbox has one. */
let root: boolean

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-host-'))
  await writeFile(join(folder, 'host-file'), 'host secret', { mode: 0o644 })
  const leak = await open(join(folder, 'host-file'), 'a')
  server = await startSandboxServer({ inherit: leak.fd, env: { CANARY: 'of the server' } })
  await leak.close()
  root = ((await (await fetch(`${server.apiUrl}/health`)).json()) as { root: boolean }).root
  const options = { ...server.connection, timeoutMs: 300_000 }
  ;[sandbox, other] = await Promise.all([Sandbox.create(options), Sandbox.create(options)])
  await other.files.write('secret', 'of the other')
  listener = createServer((_request, response) => response.end('host service'))
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  port = (listener.address() as AddressInfo).port
})
afterAll(async () => {
  listener.close()
  await rm(folder, { recursive: true, force: true })
  await server.stop()
})

/** Exit code and all output of a command; never throws. */
async function attempt(command: string): Promise<{ code: number; output: string }> {
  const { stdout } = await sandbox.commands.run(`(${command}) 2>&1; echo "exit $?"`)
  const [, output = '', code] = /^([^]*)exit (\d+)\n$/.exec(stdout) ?? []
  return { code: Number(code), output }
}

describe("the host's files", () => {
  test.each([
    // A sandbox has a /root of its own, which is empty.
    ["what is in the user's home", () => join(homedir(), readdirSync(homedir())[0]!)],
    ['a world-readable file', () => join(folder, 'host-file')],
    ["the server's key", () => join(server.dataDir, 'api-key')],
    ["the server's records", () => join(server.dataDir, 'records')],
    ["another sandbox's home", () => join(server.dataDir, 'sandboxes', other.sandboxId, 'disk/home/secret')],
    ["this project's files", () => import.meta.dirname],
  ])('%s is out of reach', async (_name, path) => {
    // On the host it exists: or the refusal would show nothing.
    await stat(path())
    expect(await attempt(`ls -la '${path()}'`)).toMatchObject({ code: 2 })
    expect(await sandbox.files.exists(path())).toBe(false)
  })

  test("a link out through /files leads to the sandbox's own files", async () => {
    await sandbox.commands.run(`ln -sfn '${folder}' out && ln -sf /etc/passwd passwd`)
    await expect(sandbox.files.read('out/host-file')).rejects.toThrow()
    expect(await sandbox.files.read('passwd')).not.toBe(await readFile('/etc/passwd', 'utf8'))
    const shadow = await sandbox.files.read('../../../../../../../../etc/shadow').catch(() => undefined)
    expect(shadow).not.toBe(await readFile('/etc/shadow', 'utf8'))
  })

  test('a file that the server inherited open is not handed on', async () => {
    const { output } = await attempt(`${root ? 'sudo ' : ''}sh -c 'ls -l /proc/[0-9]*/fd'`)
    expect(output).toContain('envd.log')
    expect(output).not.toContain('host-file')
  })

  test('the system folders are closed to the user', async () => {
    for (const path of ['/usr/bin/planted', '/etc/planted', '/planted', '/opt/holdfast/envd.cjs'])
      expect((await attempt(`echo x > ${path}`)).output).toMatch(/Read-only|Permission denied/)
  })
})

describe('processes and privileges', () => {
  test("only the sandbox's own processes are seen, and none of the host can be signalled", async () => {
    const { output } = await attempt('ls /proc | grep -c "^[0-9]"')
    expect(Number(output)).toBeLessThan(12)
    await attempt(`kill -KILL ${process.pid} ${server.pid}`)
    expect(await sandbox.isRunning()).toBe(true)
  })

  test('there are no capabilities and no further namespaces', async () => {
    const { output } = await attempt("grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status")
    expect(new Set(output.match(/[0-9a-f]{16}/g))).toEqual(new Set(['0'.repeat(16)]))
    expect((await attempt('unshare --user --map-root-user true')).code).not.toBe(0)
    expect((await attempt('mount -t tmpfs none /tmp')).code).not.toBe(0)
  })

  test("root's capabilities are those over the sandbox's files and processes", async ({ skip }) => {
    skip(!root, 'this machine gives sandboxes no users of their own')
    const { output } = await attempt("sudo grep -E '^Cap(Prm|Eff|Bnd)' /proc/self/status")
    // chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, sys_chroot, sys_ptrace, setfcap.
    expect(new Set(output.match(/[0-9a-f]{16}/g))).toEqual(new Set(['00000000800c01fb']))
  })

  test('a planted socket does not lead the server to a socket of its own', async () => {
    await attempt(
      'rm -f /run/holdfast/envd/envd.sock; ln -s /run/holdfast/egress/egress.sock /run/holdfast/envd/envd.sock',
    )
    expect((await attempt('echo alive')).output).toBe('alive\n')
  })

  test("nothing of the server's environment is in the sandbox", async () => {
    const { output } = await attempt(
      `env; ${root ? 'sudo ' : ''}sh -c 'cat /proc/*/environ' | tr "\\0" "\\n"`,
    )
    expect(output).not.toContain(server.apiKey)
    expect(output).not.toContain('CANARY')
  })
})

describe('network', () => {
  test("the host's loopback is not the sandbox's", async () => {
    expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('host service')
    expect((await attempt(`curl -sS --noproxy '*' --max-time 5 http://127.0.0.1:${port}`)).output).toMatch(
      /refused|connect/i,
    )
  })

  test.each([['http'], ['https']])('the proxy refuses host loopback over %s', async (scheme) => {
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '127.1.2.3', '0.0.0.0'])
      expect((await attempt(`curl -sS -f --max-time 5 ${scheme}://${host}:${port}`)).code).not.toBe(0)
    const refused = await attempt(`curl -sS --max-time 5 http://127.0.0.1:${port}`)
    expect(refused.output).toContain(`--allow-host-loopback 127.0.0.1:${port}`)
  })

  test('the egress socket itself refuses it too', async () => {
    const { output } = await attempt(
      `curl -sS --noproxy '' --unix-socket /run/holdfast/egress/egress.sock --request-target http://127.0.0.1:${port}/ http://127.0.0.1:${port}/`,
    )
    expect(output).toContain('holdfast egress proxy')
    expect(output).not.toContain('host service')
  })

  test('without the proxy there is no route out', async () => {
    expect((await attempt("curl -sS --noproxy '*' --max-time 5 http://192.0.2.1")).code).not.toBe(0)
    expect((await attempt('cat < /dev/tcp/192.0.2.1/80')).output).toMatch(/unreachable/i)
  })

  test('the abstract sockets of the host are out of reach', async () => {
    expect((await attempt('cat /proc/net/unix | grep -c holdfast-sandbox-server')).output).toBe('0\n')
  })

  test("the sandbox's own servers are reached with the proxy set, and from outside through the server", async () => {
    const serving = await sandbox.commands.run(
      'mkdir -p www && echo inside > www/index.html && cd www && exec python3 -m http.server 8000',
      {
        background: true,
      },
    )
    await expect.poll(async () => (await attempt('curl -sS http://localhost:8000')).output).toBe('inside\n')
    const headers = { 'E2b-Sandbox-Id': sandbox.sandboxId, 'E2b-Sandbox-Port': '8000' }
    expect(await (await fetch(server.sandboxUrl, { headers })).text()).toBe('inside\n')
    await serving.kill()
    const closed = await fetch(server.sandboxUrl, { headers })
    expect(closed.status).toBe(502)
    expect(await closed.json()).toMatchObject({
      port: 8000,
      code: 502,
      message: 'The sandbox is running but port is not open',
    })
  })
})
