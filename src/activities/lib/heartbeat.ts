import { heartbeat } from '@temporalio/activity'

/** ms between heartbeats; a worker may send fewer. */
export const HEARTBEAT_MS = 2_000

/** Tells Temporal that this worker is alive for as long as the work takes. */
export async function whileBeating<T>(work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => heartbeat(), HEARTBEAT_MS)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}
