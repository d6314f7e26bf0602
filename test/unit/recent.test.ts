import { expect, test } from 'vitest'
import type { Sandbox } from '../../src/activities/lib/e2b.ts'
import { recentConnections } from '../../src/activities/lib/recent.ts'

function counted() {
  const world = { calls: 0, at: 0, fails: false }
  const recent = recentConnections(
    () => {
      world.calls++
      return world.fails ? Promise.reject(new Error('away')) : Promise.resolve({} as Sandbox)
    },
    () => world.at,
  )
  return { world, recent, connected: (id: string, ms: number) => recent.connect(id, ms, true) }
}

const MINUTE = 60_000

test('operations at once and soon after one another share a connection, until a tenth of the timeout has passed', async () => {
  const { world, connected } = counted()
  await Promise.all([connected('a', MINUTE), connected('a', MINUTE)])
  world.at = 5_999
  await connected('a', MINUTE)
  expect(world.calls).toBe(1)
  world.at = 6_000
  await connected('a', MINUTE)
  expect(world.calls).toBe(2)
})

test.each<[string, (one: ReturnType<typeof counted>) => unknown]>([
  ['another sandbox', ({ connected }) => connected('b', MINUTE)],
  ['a longer timeout', ({ connected }) => connected('a', 2 * MINUTE)],
  ['a long time', ({ world, connected }) => ((world.at = 10_000), connected('a', MINUTE))],
  ['what may have paused it', ({ recent, connected }) => (recent.forget('a'), connected('a', MINUTE))],
  ['somebody who wants to be sure', ({ recent }) => recent.connect('a', MINUTE)],
])('%s connects anew', async (_, next) => {
  const one = counted()
  await one.connected('a', MINUTE)
  await next(one)
  expect(one.world.calls).toBe(2)
})

test('a connection that failed is of use to nobody', async () => {
  const { world, connected } = counted()
  world.fails = true
  await expect(connected('a', MINUTE)).rejects.toThrow('away')
  world.fails = false
  await connected('a', MINUTE)
  expect(world.calls).toBe(2)
})
