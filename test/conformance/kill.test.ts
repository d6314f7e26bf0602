import { appendFileSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Sandbox } from 'e2b'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

let server: SandboxServer
beforeAll(async () => {
  server = await startSandboxServer()
})
afterAll(() => server.stop())

const create = (template = 'base') =>
  Sandbox.create(template, { ...server.connection, timeoutMs: 300_000, requestTimeoutMs: 120_000 })
const recorded = ({ sandboxId }: Sandbox) => existsSync(join(server.dataDir, 'records', `${sandboxId}.json`))

const ends: [string, (sandbox: Sandbox) => Promise<unknown>][] = [
  ['a call', (sandbox) => sandbox.kill()],
  ['its timeout', (sandbox) => sandbox.setTimeout(0)],
]

describe.each<[string, (path: string) => void]>([
  ['has a line that is torn', (path) => appendFileSync(path, '{"timestamp":"2026-01-01T0{}\n')],
  [
    'cannot be read or written',
    (path) => {
      rmSync(path)
      mkdirSync(path)
    },
  ],
])('a sandbox whose log %s', (_name, spoil) => {
  test.each(ends)('is taken over by the next server, and killed by %s', async (_name, end) => {
    const sandbox = await create()
    await server.kill()
    spoil(join(server.dataDir, 'sandboxes', sandbox.sandboxId, 'events.log'))
    await server.restart()
    expect((await sandbox.commands.run('echo goes on')).stdout).toBe('goes on\n')
    await end(sandbox)
    await expect.poll(() => recorded(sandbox)).toBe(false)
    expect(await (await create()).isRunning()).toBe(true)
  })
})
