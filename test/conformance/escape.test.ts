import { createServer } from 'node:net'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Sandbox } from 'e2b'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

let server: SandboxServer
let attacker: Sandbox
let other: Sandbox
/** A folder of the host that everybody may write to, with one file. */
let canary: string

beforeAll(async () => {
  canary = await mkdtemp(join(tmpdir(), 'holdfast-canary-'))
  await chmod(canary, 0o777)
  await writeFile(join(canary, 'alive'), 'untouched', { mode: 0o666 })
  server = await startSandboxServer()
  ;[attacker, other] = await Promise.all([
    Sandbox.create(server.connection),
    Sandbox.create(server.connection),
  ])
})
afterAll(async () => {
  await server.stop()
  await rm(canary, { recursive: true, force: true })
})
// Whatever was tried: nothing of the host has changed, and server and other sandboxes go on.
afterEach(async () => {
  expect(await readdir(canary)).toEqual(['alive'])
  expect(await readFile(join(canary, 'alive'), 'utf8')).toBe('untouched')
  expect((await other.commands.run('echo fine')).stdout).toBe('fine\n')
  expect(await Sandbox.list(server.connection).nextItems()).not.toEqual([])
})

const attempt = async (sandbox: Sandbox, command: string): Promise<{ exitCode: number; stdout: string }> =>
  sandbox.commands.run(command).catch((error: { exitCode: number; stdout: string }) => error)

test.each([
  ['a new user namespace', 'unshare --user --map-root-user true'],
  ['a new mount namespace', 'unshare --mount true'],
  ['a mount', 'mount -t tmpfs none /mnt'],
  ['a device', 'mknod /tmp/disk b 8 0'],
  ['a kernel setting', 'echo 1 >/proc/sys/kernel/sysrq'],
  ['giving a file to root', 'cp /bin/sh /tmp/sh; chown 0 /tmp/sh'],
  ['a setuid program of the host', 'test -u /bin/su && su -c true </dev/null'],
  ['becoming another user', 'setpriv --reuid=0 --clear-groups true'],
  ['the root file system', 'touch /escaped'],
  ['the programs of the host', 'touch /usr/bin/escaped'],
  ['the egress socket', 'rm /run/holdfast/egress/egress.sock'],
  ["envd's own program", 'echo >>/opt/holdfast/envd.cjs'],
  ['the namespaces of process 1', 'nsenter --target 1 --net --mount true'],
  ['the memory of process 1', 'head -c 1 /proc/1/mem'],
])('%s is refused', async (_, command) => {
  expect((await attempt(attacker, command)).exitCode).not.toBe(0)
})

test('only its own processes are seen, and killing all of them hurts nobody else', async () => {
  const victim = await Sandbox.create(server.connection)
  const { stdout } = await victim.commands.run('cat /proc/[0-9]*/cmdline | tr "\\0" " "')
  expect(stdout).toContain(victim.sandboxId)
  expect(stdout).not.toContain('vitest')
  expect(stdout).not.toContain(other.sandboxId)
  await attempt(victim, 'kill -9 -1')
})

test('an abstract socket of the host is not there', async () => {
  const name = `holdfast-${process.pid}`
  const listener = createServer((socket) => socket.end('reached')).listen(`\0${name}`)
  await once(listener, 'listening')
  const connect = `import socket; s = socket.socket(socket.AF_UNIX); s.connect("\\0${name}"); print(s.recv(9))`
  await attacker.files.write('connect.py', connect)
  expect(await attempt(attacker, 'python3 connect.py')).toMatchObject({ exitCode: 1, stdout: '' })
  listener.close()
})

test('links out of the home lead nowhere, by /files and by what the server does with the disk', async () => {
  await attacker.commands.run(
    `ln -s ${canary} out; ln -s ${canary}/alive file; ln -s /etc/shadow shadow; ln -s / root`,
  )
  await expect(attacker.files.read('shadow')).rejects.toThrow()
  await expect(attacker.files.read('file')).rejects.toThrow()
  await expect(attacker.files.list('out')).rejects.toThrow()
  await attacker.files.write('out/escaped', 'x').catch(() => undefined)
  await attacker.files.write(`root${canary}/escaped`, 'x').catch(() => undefined)
  const { snapshotId } = await attacker.createSnapshot()
  const copy = await Sandbox.create(snapshotId, server.connection)
  await copy.kill()
  await Sandbox.deleteSnapshot(snapshotId, server.connection)
})

test('a home that was swapped for links is removed without what they point to', async () => {
  const victim = await Sandbox.create(server.connection)
  await victim.commands.run(
    `rm -rf ~/.[!.]* ~/*; ln -s ${canary} ~/a; ln -s ${canary} /tmp/b; ln -s ${canary} /var/tmp/c`,
  )
  await victim.pause()
  expect(await victim.kill()).toBe(true)
})

test('an archive full of tricks unpacks into the sandbox only', async () => {
  await attacker.commands.run(`mkdir -p t && cd t && ln -s ${canary} link && tar cf ../x.tar link && rm link
mkdir link && echo x >link/escaped && tar rf ../x.tar link/escaped && cd .. && tar cPf y.tar --transform 's,^t,${canary},' t`)
  await attempt(attacker, 'mkdir -p u && tar xPf x.tar -C u; tar xPf y.tar')
})

test('with its own socket swapped for a link, a sandbox gets to nothing of the host', async () => {
  const victim = await Sandbox.create(server.connection)
  await attempt(
    victim,
    `rm -f /run/holdfast/envd/envd.sock; ln -s ${canary}/alive /run/holdfast/envd/envd.sock`,
  )
  await victim.pause()
  await Sandbox.connect(victim.sandboxId, server.connection).catch(() => undefined)
  await server.restart()
  expect(await Sandbox.kill(victim.sandboxId, server.connection)).toBe(true)
})

test.each([
  ['that goes up', '../records'],
  ['that goes up, encoded', '..%2f..%2fetc'],
  ['of a zero byte', '%00'],
  ['of a dot', '.'],
  ['of 5,000 letters', `i${'a'.repeat(5000)}`],
  ['with a path in it', 'i/../../x'],
])('an id %s is no way to a file', async (_, id) => {
  const headers = { 'x-api-key': server.apiKey }
  for (const [method, path] of [
    ['GET', `/sandboxes/${id}`],
    ['DELETE', `/sandboxes/${id}`],
    ['POST', `/sandboxes/${id}/snapshots`],
    ['DELETE', `/templates/${id}`],
    ['GET', `/templates/aliases/${id}`],
  ] as const) {
    const { status } = await fetch(server.apiUrl + path, { method, headers })
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
  }
})
