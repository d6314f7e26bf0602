import { randomUUID } from 'node:crypto'
import pRetry, { AbortError } from 'p-retry'
import type { FailureType } from '../contract/failures.ts'
import { HoldfastError } from './errors.ts'

/** For how long a request is sent again, in ms. */
const PATIENCE_MS = 5 * 60_000

/** Makes a call again for so long, in ms, as it fails for one of these reasons. */
const insist = <T>(call: () => Promise<T>, reasons: FailureType[], patienceMs: number): Promise<T> =>
  pRetry(call, {
    retries: 1_000,
    minTimeout: 50,
    maxTimeout: 2_000,
    maxRetryTime: patienceMs,
    shouldRetry: ({ error }) => error instanceof HoldfastError && reasons.includes(error.type),
  })

/** For how long a query is asked again, in ms: a worker that died is replaced. */
const QUERY_PATIENCE_MS = 30_000

/** Asks a query, again where it failed for one of the reasons given, or the worker that had it could not answer yet. */
export const ask = <T>(query: () => Promise<T>, again: FailureType[] = []): Promise<T> =>
  insist(query, ['WorkerStopping', ...again], QUERY_PATIENCE_MS)

/**
 * Sends an update, again where it failed for one of the reasons given, or was not taken up by the worker that had it. Under one id:
 * Temporal does it once.
 */
export const request = <T>(
  send: (updateId: string) => Promise<T>,
  { requestId = randomUUID(), again = [] }: { requestId?: string | undefined; again?: FailureType[] } = {},
): Promise<T> => insist(() => send(requestId), ['WorkerStopping', ...again], PATIENCE_MS)

/**
 * Sends an update that answers what a query told of. While the worker that has the workflow task is dead, a query may be answered past
 * what Temporal has of the workflow; an answer then comes too early and is refused. It is sent again where just that is still asked for,
 * never to what nobody has seen.
 *
 * @param tooEarly how such an answer is refused
 */
export const requestUnlessEarly = (
  send: (updateId: string) => Promise<void>,
  tooEarly: FailureType,
  isAsked: () => Promise<boolean>,
): Promise<void> =>
  request(
    async (updateId) => {
      try {
        await send(updateId)
      } catch (error) {
        if (!(error instanceof HoldfastError) || error.type !== tooEarly) throw error
        throw (await isAsked().catch(() => false)) ? error : new AbortError(error)
      }
    },
    { again: [tooEarly] },
  )
