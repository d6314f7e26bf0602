import { readdirSync, readFileSync } from 'node:fs'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { Sandbox } from 'e2b'
import { expect, onTestFinished, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

async function start(): Promise<SandboxServer> {
  const server = await startSandboxServer()
  onTestFinished(() => server.stop())
  return server
}

const create = (server: SandboxServer, options = {}) =>
  Sandbox.create({ ...server.connection, timeoutMs: 120_000, ...options })

/** Host pid of the sandbox's first process, from the server's record. */
const hostPid = (server: SandboxServer, sandboxId: string) =>
  (
    JSON.parse(readFileSync(join(server.dataDir, 'records', `${sandboxId}.json`), 'utf8')) as {
      process: { pid: number }
    }
  ).process.pid

test.each([['SIGKILL'], ['SIGTERM']])(
  'after %s of the server a running sandbox goes on with its processes',
  async (signal) => {
    const server = await start()
    const sandbox = await create(server, { metadata: { kept: 'yes' } })
    const job = await sandbox.commands.run('while ! [ -e go ]; do sleep 0.02; done; echo went', {
      background: true,
    })
    if (signal === 'SIGKILL') await server.kill()
    await server.restart()
    expect(await sandbox.getInfo()).toMatchObject({ state: 'running', metadata: { kept: 'yes' } })
    const again = await sandbox.commands.connect(job.pid)
    await sandbox.files.write('go', '')
    expect((await again.wait()).stdout).toBe('went\n')
  },
)

test('after SIGKILL of the server a paused sandbox stays frozen, and resumes with its processes', async () => {
  const server = await start()
  const sandbox = await create(server)
  const job = await sandbox.commands.run('sleep 1000', { background: true, timeoutMs: 0 })
  await sandbox.pause()
  await server.kill()
  await server.restart()
  expect((await sandbox.getInfo()).state).toBe('paused')
  expect(await sandbox.isRunning()).toBe(false)
  await sandbox.connect()
  expect((await sandbox.commands.list()).map(({ pid }) => pid)).toContain(job.pid)
})

test('a sandbox whose processes went while no server ran is reported gone', async () => {
  const server = await start()
  const sandbox = await create(server)
  await server.kill()
  process.kill(hostPid(server, sandbox.sandboxId), 'SIGKILL')
  await server.restart()
  expect(await Sandbox.kill(sandbox.sandboxId, server.connection)).toBe(false)
  expect(server.log()).toContain('sandbox lost')
  expect(readdirSync(join(server.dataDir, 'sandboxes'))).toEqual([])
})

test('after a restart of the host a paused sandbox comes back from its disk, and snapshots are there', async () => {
  const server = await start()
  const sandbox = await create(server)
  await sandbox.files.write('kept', 'disk')
  const { snapshotId } = await sandbox.createSnapshot()
  await sandbox.pause()
  await server.kill()
  await endOfHost(server)
  await server.restart()
  expect(await (await Sandbox.create(snapshotId, server.connection)).files.read('kept')).toBe('disk')
  expect((await sandbox.getInfo()).state).toBe('paused')
  await sandbox.connect()
  expect(await sandbox.files.read('kept')).toBe('disk')
  expect(server.log()).toContain('resumes from its disk')
})

test('a sandbox that ends by itself while the server runs is gone at once', async () => {
  const server = await start()
  const sandbox = await create(server)
  process.kill(hostPid(server, sandbox.sandboxId), 'SIGKILL')
  await expect.poll(() => sandbox.isRunning()).toBe(false)
  await expect.poll(() => Sandbox.kill(sandbox.sandboxId, server.connection)).toBe(false)
})

test('a timeout that passed while no server ran is carried out at the start', async () => {
  const server = await start()
  const lifecycle = { onTimeout: 'pause' as const, autoResume: false }
  const [killed, paused] = await Promise.all([
    create(server, { timeoutMs: 2_000 }),
    create(server, { timeoutMs: 2_000, lifecycle }),
  ])
  const { endAt } = await paused.getInfo()
  await server.kill()
  await new Promise((resolve) => setTimeout(resolve, endAt.getTime() - Date.now() + 100))
  await server.restart()
  await expect.poll(async () => (await paused.getInfo()).state).toBe('paused')
  await expect.poll(() => Sandbox.kill(killed.sandboxId, server.connection)).toBe(false)
})

test('a server killed in the middle of creating leaves no process and no record', async () => {
  const server = await start()
  const creating = Promise.allSettled(Array.from({ length: 5 }, () => create(server)))
  await expect
    .poll(() => readdirSync(join(server.dataDir, 'records')).length, { interval: 1 })
    .toBeGreaterThan(0)
  await server.kill()
  await creating
  await server.restart()
  const pages = Sandbox.list(server.connection)
  const listed = await pages.nextItems()
  await expect
    .poll(() => processesOf(server.dataDir))
    .toEqual(listed.map(({ sandboxId }) => sandboxId).sort())
  expect(readdirSync(join(server.dataDir, 'records')).filter((name) => name.endsWith('.json'))).toHaveLength(
    listed.length,
  )
})

test('a second server on the same data directory refuses to start, and says why', async () => {
  const server = await start()
  const second = run(['--data-dir', server.dataDir])
  expect(await second).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('in use by another sandbox server') as string,
  })
})

test('a taken port is refused with what to do', async () => {
  const server = await start()
  const args = ['--data-dir', join(server.dataDir, 'other'), '--port', new URL(server.apiUrl).port]
  expect(await run(args)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/--port: \d+ is taken.*another one/) as string,
  })
})

/** Ends what else than files a server has left: processes and mounts. */
async function endOfHost({ dataDir }: SandboxServer): Promise<void> {
  for (const name of readdirSync(join(dataDir, 'records'))) {
    const record = readFileSync(join(dataDir, 'records', name), 'utf8')
    process.kill((JSON.parse(record) as { process: { pid: number } }).process.pid, 'SIGKILL')
  }
  const mounts = () =>
    readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '')
      .filter((path) => path.startsWith(`${dataDir}/`))
  // The last one first; a disk is free once its processes have gone.
  await expect
    .poll(() => {
      for (const path of mounts().reverse()) spawnSync('umount', [path])
      return mounts()
    })
    .toEqual([])
}

async function run(args: string[]): Promise<{ code: number; stderr: string }> {
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  const child = spawn(process.execPath, ['bin/run.mjs', 'src/local-sandbox/main.ts', ...args], { cwd })
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit') as Promise<[number]>])
  return { code, stderr }
}

/** Ids of sandboxes that have processes, by the command lines of the isolation tool. */
function processesOf(dataDir: string): string[] {
  const ids = readdirSync('/proc').flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      return /^(bwrap|perl)\0/.test(command)
        ? [command.split(`${dataDir}/sandboxes/`)[1]?.split('/')[0] ?? '']
        : []
    } catch {
      return []
    }
  })
  return [...new Set(ids.filter(Boolean))].sort()
}
