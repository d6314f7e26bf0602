import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow'
import type { FailureType } from '../../contract/failures.ts'

/**
 * What a failure of an activity in the sandbox means for the job. `lost`: the sandbox is proved to be gone, or not to be
 * what it was, so the work is restored elsewhere. `outage`: nothing is proved, and Temporal's own retries are used up, so the
 * job waits. `final`: the job's own failure.
 */
export type Loss = 'lost' | 'outage' | 'final'

const LOSSES: Partial<Record<FailureType, Loss>> = {
  SandboxGone: 'lost',
  SandboxDiverged: 'lost',
  SandboxUnreachable: 'outage',
  SandboxBusy: 'outage',
  SandboxRateLimited: 'outage',
  GitHostUnreachable: 'outage',
  BlobStoreUnavailable: 'outage',
  PayloadKeyMissing: 'outage',
  PayloadUnreadable: 'outage',
  ModelUnavailable: 'outage',
  WorkerStopping: 'outage',
}

export function lossOf(error: unknown): Loss {
  if (!(error instanceof ActivityFailure)) return 'final'
  const { cause } = error
  if (cause instanceof ApplicationFailure) return LOSSES[cause.type as FailureType] ?? 'final'
  // Workers that died one after the other: the command goes on without them.
  return cause instanceof TimeoutFailure && cause.timeoutType === 'HEARTBEAT' ? 'outage' : 'final'
}

/** Whether the activity is known to have found the sandbox lost before it began anything there. */
export function beganNothing(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : undefined
  return cause instanceof ApplicationFailure && (cause.details?.[0] as { began?: boolean })?.began === false
}

const FIRST_WAIT_MS = 10_000
const LONGEST_WAIT_MS = 10 * 60_000

/** How long to wait before the nth try (from 0) after an outage, in ms. */
export const outageWait = (n: number): number =>
  Math.min(FIRST_WAIT_MS * 2 ** Math.min(n, 20), LONGEST_WAIT_MS)
