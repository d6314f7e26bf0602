import { createServer } from 'node:net'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Sandbox } from 'e2b'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

let server: SandboxServer
let attacker: Sandbox
let other: Sandbox
/** Whether there is one in sandboxes. */
let root: boolean
/** A folder of the host that everybody may write to, with one file. */
let canary: string

beforeAll(async () => {
  canary = await mkdtemp(join(tmpdir(), 'holdfast-canary-'))
  await chmod(canary, 0o777)
  await writeFile(join(canary, 'alive'), 'untouched', { mode: 0o666 })
  server = await startSandboxServer()
  root = ((await (await fetch(`${server.apiUrl}/health`)).json()) as { root: boolean }).root
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

type Outcome = { exitCode: number; stdout: string }
const attempt = async (sandbox: Sandbox, command: string, user = 'user'): Promise<Outcome> =>
  sandbox.commands.run(command, { user }).catch((error: Outcome) => error)

test.each([
  ['giving a file to root', 'cp /bin/sh /tmp/sh; chown 0 /tmp/sh'],
  ['a setuid program of the host', 'test -u /bin/su && su -c true </dev/null'],
  ['becoming another user', 'setpriv --reuid=0 --clear-groups true'],
  ['the root file system', 'touch /escaped'],
  ['the programs of the host', 'touch /usr/bin/escaped'],
  ['the memory of process 1', 'head -c 1 /proc/1/mem'],
])('%s is refused', async (_, command) => {
  expect((await attempt(attacker, command)).exitCode).not.toBe(0)
})

/** 127 would be for a program that isn't there. */
const isRefusal = (exitCode: number) => exitCode !== 0 && exitCode !== 127
const noRoot = 'this machine gives sandboxes no users of their own'
const raise = 'import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (r.RLIM_INFINITY, r.RLIM_INFINITY))'
const link = 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'
const up =
  'import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 0))'

// Asked for by the user, and by root where there is one.
describe.each(['user', 'root'])('as %s', (user) => {
  beforeEach(({ skip }) => skip(user === 'root' && !root, noRoot))
  test.each([
    ['a new user namespace', 'unshare --user --map-root-user true'],
    ['one more user namespace', 'echo 9 >/proc/sys/user/max_user_namespaces; unshare --user true'],
    ['a new mount namespace', 'unshare --mount true'],
    ['a new network namespace', 'unshare --net true'],
    ['a mount', 'mount -t tmpfs none /mnt'],
    ["a mount of the host's disk", 'mount /dev/vda /mnt || mount /dev/sda1 /mnt'],
    ['a mount again, to be written to', 'mount -o remount,rw,bind /opt/holdfast/trust'],
    ['a mount taken away', 'umount -l /opt/holdfast/trust'],
    ['a device', 'mknod /tmp/disk b 8 0 || mknod /dev/disk b 8 0'],
    ['the memory of the machine', 'mknod /tmp/mem c 1 1'],
    ['a kernel setting', 'echo 1 >/proc/sys/kernel/sysrq'],
    ['a program of its own run by the kernel', 'echo "|/tmp/x" >/proc/sys/kernel/core_pattern'],
    ['a setting of the network', 'echo 1 >/proc/sys/net/ipv4/ip_forward'],
    ['the egress socket', 'rm /run/holdfast/egress/egress.sock'],
    ["envd's own program", 'echo >>/opt/holdfast/envd.cjs'],
    ['the certificates to trust', 'touch /opt/holdfast/trust/x'],
    ['the namespaces of process 1', 'nsenter --target 1 --net --mount true'],
    ['the clock', 'date -s "2001-01-01"'],
    ["the machine's name", 'hostname escaped'],
    ['higher limits', `prlimit --nproc=999999 true || python3 -c '${raise}'`],
    ['a higher priority', 'renice -n -5 -p $$'],
    ['the control groups', 'ls /sys/fs/cgroup/*'],
    ['packets of its own making', `python3 -c '${link}'`],
    ['an interface set down', `python3 -c '${up}'`],
  ])('%s is refused', async (_, command) => {
    expect(await attempt(attacker, command, user)).toMatchObject({
      exitCode: expect.toSatisfy(isRefusal) as number,
    })
  })
})

test("root's setuid programs and own files are nobody's on the host, nor those of another sandbox", async ({
  skip,
}) => {
  skip(!root, noRoot)
  await attempt(attacker, 'cp /bin/sh /home/user/sh; chmod 4755 /home/user/sh', 'root')
  const { uid, gid } = await stat(join(server.dataDir, 'sandboxes', attacker.sandboxId, 'disk/home/sh'))
  expect(Math.min(uid, gid)).toBeGreaterThan(1_000_000_000)
  const outside = async ({ sandboxId }: Sandbox) => {
    const record = await readFile(join(server.dataDir, 'records', `${sandboxId}.json`), 'utf8')
    return (await stat(`/proc/${(JSON.parse(record) as { process: { pid: number } }).process.pid}`)).uid
  }
  const [ours, theirs] = [await outside(attacker), await outside(other)]
  expect(Math.min(ours, theirs)).toBeGreaterThan(1_000_000_000)
  expect(Math.abs(ours - theirs)).toBeGreaterThanOrEqual(65_536)
})

/** The old way out of a chroot: another one while a folder outside is still held. */
const CHROOT = `import os
os.makedirs('/tmp/jail', exist_ok=True)
held = os.open('/', os.O_RDONLY)
os.chroot('/tmp/jail')
os.fchdir(held)
for _ in range(20): os.chdir('..')
os.chroot('.')
print(sorted(os.listdir('/')))`

test('out of a chroot in a chroot root gets to its own root folder', async ({ skip }) => {
  skip(!root, noRoot)
  await attacker.files.write('chroot.py', CHROOT)
  const names = (await attempt(attacker, 'python3 /home/user/chroot.py', 'root')).stdout
  expect(names).toContain("'home'")
  expect(names).toBe(
    (await attempt(attacker, 'python3 -c "import os; print(sorted(os.listdir(\'/\')))"')).stdout,
  )
  expect(
    (await attempt(attacker, `ls /proc/1/root${canary} /proc/1/cwd${canary}`, 'root')).exitCode,
  ).not.toBe(0)
})

test.for(['user', 'root'])(
  'only its own processes are seen, and %s killing all of them hurts nobody else',
  async (user, { skip }) => {
    skip(user === 'root' && !root, noRoot)
    const victim = await Sandbox.create(server.connection)
    const { stdout } = await victim.commands.run('cat /proc/[0-9]*/cmdline | tr "\\0" " "')
    expect(stdout).toContain('/opt/holdfast/envd.cjs')
    expect(stdout).not.toContain('vitest')
    expect(stdout).not.toContain(other.sandboxId)
    await attempt(victim, 'kill -9 -1', user)
  },
)

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
  const shadow = await attacker.files.read('shadow').catch(() => undefined)
  expect(shadow).not.toBe(await readFile('/etc/shadow', 'utf8').catch(() => ''))
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
  const unpack = 'cd /home/user && mkdir -p u && tar xPf x.tar -C u; tar xPf y.tar'
  for (const user of ['user', 'root']) await attempt(attacker, unpack, user)
})

test('with its own socket swapped for a link, a sandbox gets to nothing of the host', async () => {
  const victim = await Sandbox.create(server.connection)
  await attempt(
    victim,
    `rm -f /run/holdfast/envd/envd.sock; ln -s ${canary}/alive /run/holdfast/envd/envd.sock`,
    root ? 'root' : 'user',
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
