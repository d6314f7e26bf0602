import { randomUUID } from 'node:crypto'
import pRetry from 'p-retry'
import type { FailureType } from '../contract/failures.ts'
import { HoldfastError } from './errors.ts'

/** For how long a request is sent again, in ms. */
const PATIENCE_MS = 5 * 60_000

/**
 * Sends an update, again where it failed for one of the reasons given, or was not taken up by the worker that had it. Under one id:
 * Temporal does it once.
 */
export function request<T>(
  send: (updateId: string) => Promise<T>,
  { requestId = randomUUID(), again = [] }: { requestId?: string | undefined; again?: FailureType[] } = {},
): Promise<T> {
  return pRetry(() => send(requestId), {
    retries: 1_000,
    minTimeout: 50,
    maxTimeout: 2_000,
    maxRetryTime: PATIENCE_MS,
    shouldRetry: ({ error }) =>
      error instanceof HoldfastError && ['WorkerStopping', ...again].includes(error.type),
  })
}
