import { setTimeout as delay } from 'node:timers/promises'
import { failure } from '../../contract/failure.ts'

/** Who would wait longer than this, in ms, gives its slot away meanwhile. */
const LONGEST_WAIT_MS = 5_000

/**
 * Lets creates of sandboxes through at equal distances, so many a second; any number where that is left out.
 *
 * @throws `SandboxRateLimited`, with the time to come again, where the wait would be long
 */
export function pacedCreates(perSecond: number | undefined): () => Promise<void> {
  if (perSecond === undefined) return () => Promise.resolve()
  let freeAt = 0
  return async () => {
    const now = Date.now()
    const wait = Math.max(0, freeAt - now)
    if (wait > LONGEST_WAIT_MS)
      throw failure(
        'SandboxRateLimited',
        `this worker makes ${perSecond} sandboxes a second (HOLDFAST_CREATES_PER_SECOND)`,
        { retryAfterMs: wait },
      )
    freeAt = now + wait + 1_000 / perSecond
    if (wait > 0) await delay(wait)
  }
}
