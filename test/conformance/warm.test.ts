import { readdirSync, readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Sandbox } from 'e2b'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

let server: SandboxServer
beforeAll(async () => {
  server = await startSandboxServer()
})
afterAll(() => server.stop())

const create = () => Sandbox.create({ ...server.connection, timeoutMs: 60_000 })
const folders = () => readdir(join(server.dataDir, 'sandboxes'))

/** Processes started on the folders of a sandbox of this server. */
function started(sandboxId: string): string[] {
  const folder = join(server.dataDir, 'sandboxes', sandboxId)
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${folder}/`)
    } catch {
      return false
    }
  })
}

/** Ids of those that have started ahead, once there are two. */
async function waiting(...known: string[]): Promise<string[]> {
  const health = async () => (await (await fetch(`${server.apiUrl}/health`)).json()) as object
  await expect.poll(health).toMatchObject({ startedAhead: 2 })
  return (await folders()).filter((id) => !known.includes(id))
}

test('sandboxes that started ahead are no sandboxes until created, then whole ones, and each its own', async () => {
  const first = await create()
  const ahead = await waiting(first.sandboxId)
  const listed = await Sandbox.list(server.connection).nextItems()
  expect(listed.map(({ sandboxId }) => sandboxId)).toEqual([first.sandboxId])
  await expect(Sandbox.connect(ahead[0]!, server.connection)).rejects.toThrow(/not found/)

  const taken = await Promise.all([create(), create(), create()])
  expect(taken.map(({ sandboxId }) => sandboxId)).toEqual(expect.arrayContaining(ahead))
  const names = await Promise.all(
    taken.map(async (sandbox, i) => {
      await sandbox.files.write('mine', String(i))
      return (await sandbox.commands.run('cat mine; hostname; echo $E2B_SANDBOX_ID')).stdout
    }),
  )
  expect(names).toEqual(taken.map(({ sandboxId }, i) => `${i}${sandboxId}\n${sandboxId}\n`))
  await Promise.all([first, ...taken].map((sandbox) => sandbox.kill()))
})

test('a server that dies takes along those that wait, and the next one clears their folders', async () => {
  const sandbox = await create()
  const ahead = await waiting(sandbox.sandboxId)
  expect(ahead.flatMap(started)).not.toEqual([])
  await server.kill()
  await expect.poll(() => ahead.flatMap(started)).toEqual([])
  await server.restart()
  expect(await folders()).toEqual([sandbox.sandboxId])
  expect((await sandbox.commands.run('echo still here')).stdout).toBe('still here\n')
})
