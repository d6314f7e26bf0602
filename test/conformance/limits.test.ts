import { readdir, readFile } from 'node:fs/promises'
import { NotEnoughSpaceError, Sandbox } from 'e2b'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

const sizes = [
  '--sandbox-memory-mb',
  '512',
  '--sandbox-cpus',
  '1',
  '--sandbox-processes',
  '100',
  '--sandbox-file-mb',
  '16',
  '--sandbox-disk-mb',
  '64',
]

let server: SandboxServer
let byGroups: boolean
let root: boolean
let diskMB: number
beforeAll(async () => {
  server = await startSandboxServer({ args: sizes })
  const health = (await (await fetch(`${server.apiUrl}/health`)).json()) as {
    limits: string
    root: boolean
    diskMB: number
  }
  diskMB = health.diskMB
  byGroups = health.limits === 'cgroup'
  root = health.root
})
afterAll(() => server.stop())

const run = (sandbox: Sandbox, command: string) =>
  sandbox.commands
    .run(command, { timeoutMs: 120_000 })
    .catch((error: { exitCode?: number; stderr?: string }) => error)

test('a sandbox says how large it is', async () => {
  const sandbox = await Sandbox.create(server.connection)
  expect(await sandbox.getInfo()).toMatchObject({ cpuCount: 1, memoryMB: 512 })
})

test('a file that grows without end is stopped at the limit', async () => {
  const sandbox = await Sandbox.create(server.connection)
  const result = await run(sandbox, 'dd if=/dev/zero of=big bs=1M count=64; stat -c %s big')
  expect(result).toMatchObject({ exitCode: 0 })
  expect((await sandbox.files.getInfo('big')).size).toBe(16 * 2 ** 20)
})

test('a memory bomb ends in its own sandbox, and the server and other sandboxes go on', async ({ skip }) => {
  skip(!byGroups, 'this machine gives no control groups to this user')
  const [bomb, other] = await Promise.all([
    Sandbox.create(server.connection),
    Sandbox.create(server.connection),
  ])
  const result = await run(bomb, `python3 -c "x = [bytearray(1 << 20) for _ in range(4096)]"`)
  expect(result.exitCode).not.toBe(0)
  expect((await other.commands.run('echo fine')).stdout).toBe('fine\n')
  expect((await (await Sandbox.create(server.connection)).commands.run('echo fine')).stdout).toBe('fine\n')
})

/** Starts what it can, up to 400, and says how many those were. */
const FORK_BOMB = `import os, time
started = 0
try:
    for _ in range(400):
        if os.fork() == 0:
            time.sleep(1)
            os._exit(0)
        started += 1
except BlockingIOError:
    pass
print(started)`

test.for(['user', 'root'])(
  'a fork bomb of %s is held to its processes, and the server and other sandboxes go on',
  async (user, { skip }) => {
    skip(!byGroups, 'this machine gives no control groups to this user')
    skip(user === 'root' && !root, 'this machine gives sandboxes no users of their own')
    const [bomb, other] = await Promise.all([
      Sandbox.create(server.connection),
      Sandbox.create(server.connection),
    ])
    await bomb.files.write('bomb.py', FORK_BOMB)
    const { stdout } = await bomb.commands.run('python3 /home/user/bomb.py', { user })
    expect(Number(stdout)).toBeGreaterThan(10)
    expect(Number(stdout)).toBeLessThan(100)
    expect((await other.commands.run('echo fine')).stdout).toBe('fine\n')
    expect(await bomb.kill()).toBe(true)
  },
)

test.for(['user', 'root'])(
  'a disk that %s fills holds no more than its size; what is deleted can be written again, and other sandboxes go on',
  async (user, { skip }) => {
    skip(diskMB === 0, 'this machine mounts no disks for this user')
    skip(user === 'root' && !root, 'this machine gives sandboxes no users of their own')
    const [full, other] = await Promise.all([
      Sandbox.create(server.connection),
      Sandbox.create(server.connection),
    ])
    const folder = user === 'root' ? '/usr/local/share' : '/var/tmp'
    const fill = `for i in $(seq 20); do head -c 16M /dev/zero >${folder}/$i || break; done`
    const filled = await full.commands.run(`${fill}; du -sm ${folder} | cut -f1`, { user })
    expect(filled.stderr).toContain('No space left on device')
    expect(Number(filled.stdout)).toBeGreaterThan(30)
    expect(Number(filled.stdout)).toBeLessThanOrEqual(64)
    await expect(full.files.write('late', 'x'.repeat(2 ** 20), { user })).rejects.toBeInstanceOf(
      NotEnoughSpaceError,
    )
    expect((await other.commands.run('head -c 16M /dev/zero >there && wc -c <there')).stdout).toBe(
      '16777216\n',
    )
    await full.commands.run(`rm ${folder}/1`, { user })
    await full.files.write('late', 'now')
    expect(await full.files.read('late')).toBe('now')
  },
)

test('a full sandbox is paused, resumed, and killed like any other', async ({ skip }) => {
  skip(diskMB === 0, 'this machine mounts no disks for this user')
  const sandbox = await Sandbox.create(server.connection)
  await run(sandbox, 'for i in $(seq 20); do head -c 16M /dev/zero >$i; done')
  await sandbox.pause()
  await sandbox.connect()
  expect((await sandbox.commands.run('rm 1 && echo space >note && cat note')).stdout).toBe('space\n')
  expect(await sandbox.kill()).toBe(true)
  expect((await readFile('/proc/mounts', 'utf8')).includes(sandbox.sandboxId)).toBe(false)
})

test('what a killed sandbox had of control groups is gone', async ({ skip }) => {
  skip(!byGroups, 'this machine gives no control groups to this user')
  const sandbox = await Sandbox.create(server.connection)
  const groups = (await sandbox.commands.run('cat /proc/self/cgroup')).stdout
  expect(groups).not.toContain(sandbox.sandboxId)
  expect(await groupsNamed(sandbox.sandboxId)).not.toEqual([])
  await sandbox.kill()
  expect(await groupsNamed(sandbox.sandboxId)).toEqual([])
})

async function groupsNamed(name: string): Promise<string[]> {
  const found: string[] = []
  const look = async (folder: string, depth: number): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => []))
      if (entry.isDirectory()) {
        if (entry.name === name) found.push(`${folder}/${name}`)
        else if (depth > 0) await look(`${folder}/${entry.name}`, depth - 1)
      }
  }
  await look('/sys/fs/cgroup', 6)
  return found
}
