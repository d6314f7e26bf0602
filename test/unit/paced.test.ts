import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createE2B } from '../../src/activities/lib/e2b.ts'
import { pacedCreates } from '../../src/activities/lib/paced.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date', 'setTimeout'] }))
afterEach(() => void vi.useRealTimers())

test('without a number nobody waits', async () => {
  const turn = pacedCreates(undefined)
  await Promise.all(Array.from({ length: 100 }, turn))
})

test('who comes too early is told when to come again, and then gets a turn', async () => {
  const turn = pacedCreates(0.1)
  await turn()
  vi.advanceTimersByTime(1_000)
  await expect(turn()).rejects.toMatchObject({
    type: 'SandboxRateLimited',
    nonRetryable: false,
    nextRetryDelay: 9_000,
    message: expect.stringContaining('HOLDFAST_CREATES_PER_SECOND') as string,
  })
  vi.advanceTimersByTime(9_000)
  await turn()
})

test('time without creates is not saved up', async () => {
  const turn = pacedCreates(0.1)
  await turn()
  vi.advanceTimersByTime(3_600_000)
  await turn()
  await expect(turn()).rejects.toMatchObject({ nextRetryDelay: 10_000 })
})

test('a create that is too early asks E2B for nothing', async () => {
  vi.useRealTimers()
  let asked = 0
  const server = createServer((_, response) => {
    asked++
    response.writeHead(500, { 'content-type': 'application/json' }).end('{"code":500,"message":"no"}')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const e2b = createE2B({ apiKey: `e2b_${'0'.repeat(40)}`, apiUrl, createsPerSecond: 0.1 })
  const create = () => e2b.create({ timeoutMs: 60_000, envs: {}, metadata: {} })
  await expect(create()).rejects.toThrow()
  const before = asked
  expect(before).toBeGreaterThan(0)
  await expect(create()).rejects.toMatchObject({ type: 'SandboxRateLimited' })
  expect(asked).toBe(before)
  server.close()
})

test('a short wait is waited for, in order and at equal distances', async () => {
  vi.useRealTimers()
  const turn = pacedCreates(20)
  const began = Date.now()
  const times = await Promise.all(Array.from({ length: 4 }, () => turn().then(() => Date.now() - began)))
  for (const [index, ms] of times.entries()) expect(ms).toBeGreaterThanOrEqual(index * 50 - 2)
})
