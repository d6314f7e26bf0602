import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Actions,
  costOf,
  countActions,
  LIST_PRICES,
  reachedLimit,
  type SandboxTime,
  type Tariff,
  untilLimit,
  withTime,
} from '../../src/contract/cost.ts'

const NO_ACTIONS: Actions = {
  starts: 0,
  activities: 0,
  timers: 0,
  signals: 0,
  updates: 0,
  childWorkflows: 0,
  upserts: 0,
  activityMs: 0,
}
const FREE_ACTIONS: Tariff = { ...LIST_PRICES, action: 0 }
const HOUR = 3_600_000

const ms = fc.nat(1e9)
const size = fc.record({
  cpuCount: fc.integer({ min: 1, max: 8 }),
  memoryMb: fc.integer({ min: 1, max: 16_384 }),
})
const state = fc.constantFrom('running' as const, 'paused' as const)
const sizes = fc
  .array(fc.tuple(size, state, ms), { maxLength: 8 })
  .map((entries) =>
    entries.reduce<SandboxTime[]>((account, [size, state, ms]) => withTime(account, size, state, ms), []),
  )
const price = fc.double({ min: 1e-7, max: 1, noNaN: true })
const tariff = fc.record({
  vcpuSecond: price,
  gibSecond: price,
  pausedGibSecond: fc.oneof(fc.constant(0), price),
  action: price,
  heartbeatMs: fc.integer({ min: 100, max: 8_000 }),
})
const actions = fc.record({
  starts: fc.nat(10),
  activities: fc.nat(1e4),
  timers: fc.nat(1e4),
  signals: fc.nat(1e4),
  updates: fc.nat(1e4),
  childWorkflows: fc.nat(1e4),
  upserts: fc.nat(1e4),
  activityMs: ms,
})

describe('the price of a sandbox', () => {
  test.each([
    // E2B's own example of its prices.
    ['8 vCPU and 4 GiB for an hour', { cpuCount: 8, memoryMb: 4096, runningMs: HOUR, pausedMs: 0 }, 0.468, 0],
    [
      '2 vCPU and 512 MiB for an hour',
      { cpuCount: 2, memoryMb: 512, runningMs: HOUR, pausedMs: 0 },
      0.1089,
      0,
    ],
    [
      'a day paused costs nothing, and is saved',
      { cpuCount: 2, memoryMb: 512, runningMs: 0, pausedMs: 24 * HOUR },
      0,
      2.6136,
    ],
  ])('%s', (_, time, usd, saved) => {
    const cost = costOf({ sizes: [time] }, NO_ACTIONS, FREE_ACTIONS)
    expect(cost.usd).toBeCloseTo(usd, 9)
    expect(cost.savedByPausingUsd).toBeCloseTo(saved, 9)
  })

  test('is the sum of its parts, whatever they are', () => {
    fc.assert(
      fc.property(sizes, sizes, actions, tariff, (a, b, actions, tariff) => {
        const one = (sizes: SandboxTime[]) => costOf({ sizes }, actions, tariff)
        const both = one([...a, ...b])
        expect(both.sandbox.usd).toBeCloseTo(one(a).sandbox.usd + one(b).sandbox.usd, 3)
        expect(both.usd).toBe(both.sandbox.usd + both.temporal.usd)
        expect(both.usd).toBeGreaterThan(0)
      }),
    )
  })

  test('with what pausing saved is what running all the time would have cost', () => {
    fc.assert(
      fc.property(sizes, tariff, (sizes, tariff) => {
        const paused = costOf({ sizes }, NO_ACTIONS, tariff)
        const awake = sizes.map((size) => ({
          ...size,
          runningMs: size.runningMs + size.pausedMs,
          pausedMs: 0,
        }))
        const running = costOf({ sizes: awake }, NO_ACTIONS, tariff)
        const [expected, found] = [running.sandbox.usd, paused.sandbox.usd + paused.savedByPausingUsd]
        // A pause can cost more than running: then a large sum less a large saving leaves a small one, to the
        // precision of the large.
        const largest = Math.max(1, paused.sandbox.usd, expected)
        expect(Math.abs(expected - found)).toBeLessThanOrEqual(1e-9 * largest)
      }),
    )
  })
})

test('the account keeps every ms, under its size', () => {
  fc.assert(
    fc.property(sizes, size, state, ms, (before, size, state, ms) => {
      const after = withTime(before, size, state, ms)
      const total = (account: SandboxTime[]) =>
        account.reduce((sum, { runningMs, pausedMs }) => sum + runningMs + pausedMs, 0)
      expect(total(after)).toBe(total(before) + ms)
      const names = after.map(({ cpuCount, memoryMb }) => `${cpuCount}/${memoryMb}`)
      expect(new Set(names).size).toBe(names.length)
    }),
  )
})

test('actions: the start, each of what was asked for, and a heartbeat for each interval', () => {
  const some = {
    starts: 1,
    activities: 7,
    timers: 2,
    signals: 1,
    updates: 1,
    childWorkflows: 0,
    upserts: 0,
    activityMs: 12_345,
  }
  expect(countActions(NO_ACTIONS, LIST_PRICES)).toBe(0)
  expect(countActions(some, LIST_PRICES)).toBe(1 + 11 + 2)
})

describe('limits', () => {
  const spent = (runningMs: number) =>
    costOf({ sizes: [{ cpuCount: 2, memoryMb: 1024, runningMs, pausedMs: 0 }] }, NO_ACTIONS, FREE_ACTIONS)

  test.each([
    ['time left', 999, { sandboxTime: 1_000 }, undefined],
    ['no time left', 1_000, { sandboxTime: 1_000 }, 'sandboxTime'],
    ['money left', 10_000, { costUsd: 0.001 }, undefined],
    ['no money left', HOUR, { costUsd: 0.001 }, 'costUsd'],
    ['no limit', HOUR, {}, undefined],
  ])('%s', (_, runningMs, limits, reached) => expect(reachedLimit(spent(runningMs), limits)).toBe(reached))

  test('after exactly the time that is said to be left a limit is reached, and not long before', () => {
    const limits = fc
      .record({
        sandboxTime: fc.integer({ min: 1, max: 1e9 }),
        costUsd: fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
      })
      .chain((both) =>
        fc
          .subarray(['sandboxTime', 'costUsd'] as const, { minLength: 1 })
          .map((keys) => Object.fromEntries(keys.map((key) => [key, both[key]]))),
      )
    fc.assert(
      fc.property(
        sizes,
        actions,
        tariff,
        size,
        state,
        limits,
        (sizes, actions, tariff, size, state, limits) => {
          const at = (ms: number) => costOf({ sizes: withTime(sizes, size, state, ms) }, actions, tariff)
          const left = untilLimit(at(0), limits, { ...size, state }, tariff)
          fc.pre(left < 1e12)
          // Sums of doubles: a little more or less may be needed.
          const little = 2 + left * 1e-6
          expect(reachedLimit(at(left + little), limits)).toBeDefined()
          const soonerIsNow = left <= little
          expect(soonerIsNow || reachedLimit(at(left - little), limits) === undefined).toBe(true)
        },
      ),
    )
  })

  test('nothing is waited for in vain: a pause that costs nothing reaches no limit', () => {
    const paused = { cpuCount: 2, memoryMb: 512, state: 'paused' as const }
    expect(untilLimit(spent(1), { sandboxTime: 2, costUsd: 1 }, paused, LIST_PRICES)).toBe(Infinity)
  })
})
