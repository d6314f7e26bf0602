import { ActivityFailure, ApplicationFailure, RetryState, TimeoutFailure } from '@temporalio/common'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FAILURES } from '../../src/contract/failures.ts'
import { beganNothing, lossOf, outageWait } from '../../src/workflows/lib/losses.ts'
import { worthPausing } from '../../src/workflows/lib/pause-policy.ts'

const activityFailure = (cause: Error): ActivityFailure =>
  new ActivityFailure('failed', 'runCommand', '1', RetryState.MAXIMUM_ATTEMPTS_REACHED, 'worker', cause)
const failureOf = (type: string, detail = {}): ActivityFailure =>
  activityFailure(ApplicationFailure.create({ type, message: type, details: [detail] }))

test.each([
  ['SandboxGone', 'lost'],
  ['SandboxDiverged', 'lost'],
  ['SandboxUnreachable', 'outage'],
  ['GitHostUnreachable', 'outage'],
  ['BlobStoreUnavailable', 'outage'],
  ['PayloadKeyMissing', 'outage'],
  ['PayloadUnreadable', 'outage'],
  ['ModelUnavailable', 'outage'],
  ['OutcomeUnknown', 'final'],
  ['StepFailed', 'final'],
  ['SandboxAuthenticationFailed', 'final'],
  ['a defect', 'final'],
])('%s is %s', (type, loss) => {
  expect(lossOf(failureOf(type))).toBe(loss)
})

test('every retryable failure of a sandbox is an outage: unreachable is not gone', () => {
  const retryable = Object.entries(FAILURES).filter(
    ([type, { next }]) => type.startsWith('Sandbox') && next === 'retryable',
  )
  for (const [type] of retryable) expect(lossOf(failureOf(type))).toBe('outage')
})

test('workers that stop beating are an outage, an activity over its own time is not', () => {
  expect(lossOf(activityFailure(new TimeoutFailure('', null, 'HEARTBEAT')))).toBe('outage')
  expect(lossOf(activityFailure(new TimeoutFailure('', null, 'START_TO_CLOSE')))).toBe('final')
  expect(lossOf(new Error('a defect'))).toBe('final')
})

test('only a failure that says so has begun nothing', () => {
  expect(beganNothing(failureOf('SandboxGone', { began: false }))).toBe(true)
  expect(beganNothing(failureOf('SandboxGone'))).toBe(false)
  expect(beganNothing(activityFailure(new TimeoutFailure('', null, 'HEARTBEAT')))).toBe(false)
})

test('waits between tries grow and stay within bounds', () => {
  fc.assert(
    fc.property(fc.nat(1_000_000), (n) => {
      expect(outageWait(n)).toBeLessThanOrEqual(outageWait(n + 1))
      expect(outageWait(n)).toBeGreaterThan(0)
      expect(outageWait(n)).toBeLessThanOrEqual(600_000)
    }),
  )
})

test.each([
  [Infinity, 512, undefined, true],
  [60_000, 512, undefined, true],
  [2_000, 512, undefined, false],
  [60_000, 65_536, undefined, false],
  [2_000, 512, 1_000, true],
  [60_000, 512, 120_000, false],
])('a wait of %d ms with %d MB and the threshold %s: pause %s', (ms, memory, threshold, pause) => {
  expect(worthPausing(ms, memory, threshold)).toBe(pause)
})

test('what is worth pausing for stays so for a longer wait and a smaller sandbox', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.nat(100_000), (ms, more, memory) => {
      fc.pre(worthPausing(ms, memory))
      expect(worthPausing(ms + more, memory)).toBe(true)
      expect(worthPausing(ms, memory / 2)).toBe(true)
    }),
  )
})
