import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Fate, fateOf, type Keep, type OwnerStatus } from '../../src/contract/sandboxes.ts'

const GRACE = 1_000

test.each<[OwnerStatus, Keep, number, Fate]>([
  ['RUNNING', 'never', 9_999, 'owned'],
  ['PAUSED', 'never', 9_999, 'owned'],
  ['CONTINUED_AS_NEW', 'never', 9_999, 'owned'],
  ['UNKNOWN', 'never', 9_999, 'owned'],
  ['COMPLETED', 'on-failure', 9_999, 'reap'],
  ['COMPLETED', 'on-failure', 999, 'young'],
  ['TERMINATED', 'on-failure', 9_999, 'reap'],
  ['TERMINATED', 'always', 9_999, 'kept'],
  ['CANCELLED', 'on-failure', 9_999, 'reap'],
  ['FAILED', 'on-failure', 9_999, 'kept'],
  ['FAILED', 'never', 9_999, 'reap'],
  ['TIMED_OUT', 'on-failure', 9_999, 'kept'],
  ['NOT_FOUND', 'on-failure', 9_999, 'reap'],
  ['NOT_FOUND', 'never', 0, 'young'],
])('owner %s, keep %s, age %d ms: %s', (owner, keep, ageMs, fate) => {
  expect(fateOf({ owner, keep, ageMs }, GRACE)).toBe(fate)
})

test('a sandbox is reaped only when its owner is proved to have ended', () => {
  const alive = fc.constantFrom<OwnerStatus>('RUNNING', 'PAUSED', 'CONTINUED_AS_NEW', 'UNKNOWN')
  const keep = fc.constantFrom<Keep>('always', 'on-failure', 'never')
  fc.assert(
    fc.property(alive, keep, fc.nat(), fc.nat(), (owner, keep, ageMs, grace) => {
      expect(fateOf({ owner, keep, ageMs }, grace)).toBe('owned')
    }),
  )
})
