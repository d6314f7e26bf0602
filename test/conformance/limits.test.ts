import { readdir } from 'node:fs/promises'
import { Sandbox } from 'e2b'
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
]

let server: SandboxServer
let byGroups: boolean
beforeAll(async () => {
  server = await startSandboxServer({ args: sizes })
  const health = (await (await fetch(`${server.apiUrl}/health`)).json()) as { limits: string }
  byGroups = health.limits === 'cgroup'
})
afterAll(() => server.stop())

const run = (sandbox: Sandbox, command: string) =>
  sandbox.commands
    .run(command, { timeoutMs: 30_000 })
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

test('a fork bomb is held to its processes, and the server and other sandboxes go on', async ({ skip }) => {
  skip(!byGroups, 'this machine gives no control groups to this user')
  const [bomb, other] = await Promise.all([
    Sandbox.create(server.connection),
    Sandbox.create(server.connection),
  ])
  // A real one never ends by itself; this one ends after a second, and can't start more than it may either.
  const result = await run(bomb, 'for i in $(seq 400); do sleep 1 & done 2>&1 | grep -c fork; wait; true')
  expect(result.exitCode).toBeDefined()
  expect((await other.commands.run('echo fine')).stdout).toBe('fine\n')
  expect(await bomb.kill()).toBe(true)
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
