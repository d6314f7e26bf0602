import { appendFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Sandbox, Template, type SandboxOpts } from 'e2b'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

let server: SandboxServer
beforeAll(async () => {
  server = await startSandboxServer()
})
afterAll(() => server.stop())

const create = (options: SandboxOpts = {}) =>
  Sandbox.create({ ...server.connection, timeoutMs: 300_000, ...options })
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

test('a kill ends a sandbox whose ready command never returns, and its create', async () => {
  const ready = 'touch waits; exec sleep infinity'
  await Template.build(Template().fromBaseImage().setReadyCmd(ready), 'never-ready', server.connection)
  const sandboxes = join(server.dataDir, 'sandboxes')
  const waiting = () =>
    readdirSync(sandboxes).filter((id) => existsSync(join(sandboxes, id, 'disk/home/waits')))
  const created = Sandbox.create('never-ready', { ...server.connection, requestTimeoutMs: 0 })
  created.catch(() => undefined)
  await expect.poll(waiting).toHaveLength(1)
  expect(await Sandbox.kill(waiting()[0]!, server.connection)).toBe(true)
  await expect(created).rejects.toThrow(/409: .* is being killed/)
})

describe('while a folder of the server is away', () => {
  const away = (name: string) => {
    const path = join(server.dataDir, name)
    renameSync(path, `${path}-away`)
    return () => renameSync(`${path}-away`, path)
  }
  const call = async (method: string, { sandboxId }: Sandbox, path = '') => {
    const headers = { 'x-api-key': server.apiKey }
    return (await fetch(`${server.apiUrl}/sandboxes/${sandboxId}${path}`, { method, headers })).status
  }

  /** What the server has logged of a sandbox. */
  const logged = ({ sandboxId }: Sandbox) =>
    server
      .log()
      .split('\n')
      .filter((line) => line.includes(sandboxId))
      .join()

  test('a call that misses it fails, and is not told that there is no such sandbox', async () => {
    const sandbox = await create()
    const back = away('records')
    expect(await call('POST', sandbox, '/pause')).toBe(500)
    back()
    expect(await sandbox.isRunning()).toBe(true)
  })

  test('a kill fails, and the next call does it', async () => {
    const sandbox = await create()
    const back = away('trash')
    expect(await call('DELETE', sandbox)).toBe(500)
    expect(await sandbox.isRunning()).toBe(false)
    back()
    await call('DELETE', sandbox)
    await expect.poll(() => recorded(sandbox)).toBe(false)
    expect(await call('DELETE', sandbox)).toBe(404)
  })

  test.each<[string, (sandbox: Sandbox) => Promise<unknown>]>([
    ['call', (sandbox) => call('DELETE', sandbox)],
    ['timeout', (sandbox) => sandbox.setTimeout(0)],
  ])('a kill by %s fails, and is done later by itself', async (_name, end) => {
    const sandbox = await create()
    const back = away('trash')
    await end(sandbox)
    await expect.poll(() => logged(sandbox)).toContain('kill failed')
    back()
    await expect.poll(() => recorded(sandbox)).toBe(false)
    expect(await call('DELETE', sandbox)).toBe(404)
  })

  test('a pause by timeout fails, and is done later by itself', async () => {
    const sandbox = await create({ lifecycle: { onTimeout: 'pause', autoResume: false } })
    await sandbox.setTimeout(5_000)
    const back = away('records')
    await expect.poll(() => logged(sandbox)).toContain('expiry failed')
    back()
    await expect.poll(async () => (await sandbox.getInfo()).state).toBe('paused')
  })
})
