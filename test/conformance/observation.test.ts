import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { Sandbox, SandboxNotFoundError } from 'e2b'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

let server: SandboxServer
beforeAll(async () => {
  server = await startSandboxServer()
})
afterAll(() => server.stop())

const create = (options = {}) => Sandbox.create({ ...server.connection, timeoutMs: 120_000, ...options })
const get = async (path: string) => {
  const answer = await fetch(`${server.apiUrl}${path}`, { headers: { 'x-api-key': server.apiKey } })
  return { status: answer.status, body: await answer.json() }
}

interface Entry {
  timestamp: string
  level: string
  message: string
  fields: Record<string, string>
}
const logs = async ({ sandboxId }: Sandbox, query = '') =>
  ((await get(`/v2/sandboxes/${sandboxId}/logs?${query}`)).body as { logs: Entry[] }).logs

test('metrics come soon after the start, and tell what the sandbox uses', async () => {
  const sandbox = await create()
  await expect.poll(() => sandbox.getMetrics()).not.toEqual([])
  const [metric] = await sandbox.getMetrics()
  expect(metric!.timestamp.getTime()).toBeGreaterThan(Date.now() - 10_000)
  expect(metric!.memUsed).toBeGreaterThan(1 << 20)
  expect(metric!.memUsed).toBeLessThan(metric!.memTotal)
  expect(metric!.cpuCount).toBeGreaterThanOrEqual(1)
  expect(metric!.diskTotal).toBeGreaterThan(0)

  const { body } = await get(`/sandboxes/${sandbox.sandboxId}/metrics`)
  const at = metric!.timestamp.getTime() / 1000
  expect((body as { timestampUnix: number }[])[0]!.timestampUnix).toBe(at)
  expect(await sandbox.getMetrics({ start: new Date(), end: new Date(0) })).toEqual([])
  expect(await sandbox.getMetrics({ start: new Date(at * 1000), end: new Date(at * 1000) })).toEqual([metric])
})

test('a paused sandbox keeps its metrics and gets no new ones', async () => {
  const sandbox = await create()
  await expect.poll(() => sandbox.getMetrics()).not.toEqual([])
  await sandbox.pause()
  const before = await sandbox.getMetrics()
  // Longer than the first sample of a running one takes.
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  expect(await sandbox.getMetrics()).toEqual(before)
  await sandbox.connect()
  await expect.poll(() => sandbox.getMetrics().then(({ length }) => length)).toBeGreaterThan(before.length)
})

test("metrics of a sandbox that isn't there are not found", async () => {
  await expect(Sandbox.getMetrics('iunknown', server.connection)).rejects.toThrow(SandboxNotFoundError)
  const sandbox = await create()
  expect((await get(`/sandboxes/${sandbox.sandboxId}/metrics?start=soon`)).status).toBe(400)
})

test("logs tell a sandbox's life, newest first or forward, and survive a restart of the server", async () => {
  const sandbox = await create({ network: { denyOut: ['0.0.0.0/0'] } })
  await sandbox.commands.run('curl -s http://203.0.113.1/ || true')
  await sandbox.pause()
  await sandbox.connect()
  await server.kill()
  await server.restart()
  const forward = await logs(sandbox, 'direction=forward')
  expect(forward.map(({ message }) => message)).toEqual([
    'sandbox created',
    'egress refused',
    'sandbox paused',
    'sandbox resumed',
    'sandbox taken over by a new server',
  ])
  expect(forward[1]).toMatchObject({ level: 'info', fields: { host: '203.0.113.1', port: '80' } })
  expect(await logs(sandbox)).toEqual([...forward].reverse())
  expect(await logs(sandbox, 'direction=forward&limit=2')).toEqual(forward.slice(0, 2))
  expect(await logs(sandbox, 'search=paused')).toEqual([forward[2]])
  expect(await logs(sandbox, 'level=warn')).toEqual([])
  const cursor = Date.parse(forward[2]!.timestamp)
  expect(await logs(sandbox, `direction=forward&cursor=${cursor}`)).toEqual(
    forward.filter(({ timestamp }) => Date.parse(timestamp) >= cursor),
  )
  expect(await logs(sandbox, `cursor=${cursor}`)).toEqual(
    forward.filter(({ timestamp }) => Date.parse(timestamp) <= cursor).reverse(),
  )
})

test('a line of the log that a full disk has cut short costs none of the others', async () => {
  const sandbox = await create()
  await server.kill()
  appendFileSync(join(server.dataDir, 'sandboxes', sandbox.sandboxId, 'events.log'), '\n{"timestamp":"2')
  for (const _ of [1, 2]) await server.restart()
  const takenOver = 'sandbox taken over by a new server'
  const messages = (await logs(sandbox, 'direction=forward')).map(({ message }) => message)
  expect(messages).toEqual(['sandbox created', takenOver, takenOver])
})

test('the old logs are lines of JSON, from a start on', async () => {
  const sandbox = await create()
  const { body } = await get(`/sandboxes/${sandbox.sandboxId}/logs`)
  const { logs, logEntries } = body as { logs: { timestamp: string; line: string }[]; logEntries: Entry[] }
  expect(JSON.parse(logs[0]!.line)).toMatchObject({ level: 'info', message: 'sandbox created' })
  expect(logs.map(({ timestamp }) => timestamp)).toEqual(logEntries.map(({ timestamp }) => timestamp))
  const later = await get(`/sandboxes/${sandbox.sandboxId}/logs?start=${Date.now() + 1000}`)
  expect(later.body).toEqual({ logs: [], logEntries: [] })
})

test.each([['/v2/sandboxes/iunknown/logs'], ['/sandboxes/iunknown/logs']])('%s is 404', async (path) => {
  expect(await get(path)).toMatchObject({ status: 404, body: { code: 404 } })
})
