import {
  AuthenticationError,
  InvalidArgumentError,
  NotEnoughSpaceError,
  RateLimitError,
  SandboxNotFoundError,
  ServiceBusyError,
  TimeoutError,
} from 'e2b'
import { expect, test } from 'vitest'
import { mapE2BError } from '../../src/activities/lib/e2b.ts'

test.each([
  [new SandboxNotFoundError('gone'), 'SandboxGone', true],
  [new TimeoutError('late'), 'SandboxUnreachable', false],
  [new TypeError('fetch failed'), 'SandboxUnreachable', false],
  [new ServiceBusyError('busy'), 'SandboxBusy', false],
  [new Error('409: changing its state'), 'SandboxBusy', false],
  [new RateLimitError('slow down'), 'SandboxRateLimited', false],
  [new NotEnoughSpaceError('full'), 'SandboxNoSpace', true],
  [new AuthenticationError('who?'), 'SandboxAuthenticationFailed', true],
  [new InvalidArgumentError('[invalid_argument] no such folder'), 'SandboxInvalidArgument', true],
  [
    new InvalidArgumentError('[invalid_argument] protocol error: incomplete envelope'),
    'SandboxUnreachable',
    false,
  ],
])('%s is %s', (error, type, nonRetryable) => {
  expect(mapE2BError(error)).toMatchObject({ type, nonRetryable })
})

test('a rate limit waits before the next try', () => {
  expect(mapE2BError(new RateLimitError('slow down')).nextRetryDelay).toBe(5_000)
})
