import { ApplicationFailure } from '@temporalio/common'
import { expect, test } from 'vitest'
import { createSecretStore } from '../../src/activities/lib/secrets.ts'
import { redactedActivities } from '../../src/activities/redacting.ts'

const SECRET = 'planted-canary'
const { inbound } = redactedActivities(createSecretStore([], { known: [SECRET] }))
const run = (activity: () => unknown): Promise<unknown> => inbound.execute({}, async () => activity())

test('a result leaves without secrets, wherever they stand in it, and otherwise as it was', async () => {
  const bytes = Buffer.from('abc')
  const result = { a: [`is ${SECRET}`, 1, null], b: { c: SECRET }, bytes, d: undefined }
  expect(await run(() => result)).toEqual({ a: ['is ***', 1, null], b: { c: '***' }, bytes, d: undefined })
  expect(await run(() => undefined)).toBeUndefined()
})

test('an aborted call fails as such, without secrets', async () => {
  const failed = run(() => {
    throw new DOMException(`aborted ${SECRET}`, 'AbortError')
  })
  await expect(failed).rejects.toMatchObject({ name: 'AbortError', message: 'aborted ***' })
})

test('a failure keeps its type, and loses secrets in message, stack, details and causes', async () => {
  const failed = run(() => {
    throw ApplicationFailure.create({
      type: 'GitFailed',
      message: `with ${SECRET}`,
      nonRetryable: true,
      details: [{ output: `and ${SECRET}` }],
      cause: new Error(`because of ${SECRET}`),
    })
  })
  const error = (await failed.catch((error: unknown) => error)) as ApplicationFailure
  expect(error).toBeInstanceOf(ApplicationFailure)
  expect(error).toMatchObject({ type: 'GitFailed', nonRetryable: true, message: 'with ***' })
  expect(error.details).toEqual([{ output: 'and ***' }])
  expect([error.stack, (error.cause as Error).message, (error.cause as Error).stack].join()).not.toContain(
    SECRET,
  )
})
