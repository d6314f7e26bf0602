import { heartbeat } from '@temporalio/activity'
import { mapped, type Sandbox } from './e2b.ts'

/** ms between heartbeats; a worker may send fewer. */
export const HEARTBEAT_MS = 2_000
/** How often a sandbox's timeout is set anew within it. */
const EXTENSIONS = 3

/** Tells Temporal that this worker is alive for as long as the work takes. */
export async function whileBeating<T>(work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => heartbeat(), HEARTBEAT_MS)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}

/** Keeps a sandbox from pausing itself under work that takes longer than its timeout. */
export async function whileExtended<T>(
  sandbox: Sandbox,
  timeoutMs: number,
  work: () => Promise<T>,
): Promise<T> {
  // Where this fails it is tried again soon; what is wrong with the sandbox the work tells itself.
  const extend = (): unknown =>
    mapped('sandbox.setTimeout', () => sandbox.setTimeout(timeoutMs)).catch(() => undefined)
  const timer = setInterval(extend, timeoutMs / EXTENSIONS)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}
