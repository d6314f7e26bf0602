import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MockActivityEnvironment } from '@temporalio/testing'
import {
  AuthenticationError,
  InvalidArgumentError,
  NotEnoughSpaceError,
  RateLimitError,
  Sandbox,
  SandboxNotFoundError,
  ServiceBusyError,
  TimeoutError,
} from 'e2b'
import { expect, test } from 'vitest'
import { mapE2BError, mapped } from '../../src/activities/lib/e2b.ts'

test.each([
  [new SandboxNotFoundError('gone'), 'SandboxGone', true],
  // What the SDK says of a sandbox that may be paused.
  [new SandboxNotFoundError('Sandbox is probably not running anymore'), 'SandboxUnreachable', false],
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

test('a rate limit that says nothing waits 5 s before the next try', () => {
  expect(mapE2BError(new RateLimitError('slow down')).nextRetryDelay).toBe(5_000)
})

test('a rate limit that says how long waits as long', async () => {
  const server = createServer((_request, response) =>
    response.writeHead(429, { 'Retry-After': '90' }).end('{}'),
  )
  await once(server.listen(0, '127.0.0.1'), 'listening')
  try {
    const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const connection = { apiKey: 'e2b_0', apiUrl }
    const error = await new MockActivityEnvironment()
      .run(() => mapped('Sandbox.kill', () => Sandbox.kill('some', connection)))
      .catch((e: unknown) => e)
    expect(error).toMatchObject({ type: 'SandboxRateLimited' })
    const { nextRetryDelay } = error as { nextRetryDelay: number }
    expect(nextRetryDelay).toBeGreaterThan(85_000)
    expect(nextRetryDelay).toBeLessThanOrEqual(90_000)
  } finally {
    server.close()
  }
})
