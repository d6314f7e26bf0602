import { ActivityFailure, ApplicationFailure, isCancellation, TimeoutFailure } from '@temporalio/workflow'
import { FAILURES, type FailureReport, type FailureType, isFailureType } from '../../contract/failures.ts'

/** A failure of the closed list, for workflow code to throw. Its stack would only show people the worker's folders. */
export function jobFailure(type: FailureType, message: string, output?: string): ApplicationFailure {
  const failure = ApplicationFailure.nonRetryable(message, type, {
    remedy: FAILURES[type].remedy,
    ...(output ? { output } : {}),
  })
  delete failure.stack
  return failure
}

/** What a job's failure says: the innermost failure of the closed list in the chain of causes. */
export function toReport(error: unknown): FailureReport {
  let found: ApplicationFailure | undefined
  for (let cause: unknown = error; cause instanceof Error; cause = (cause as Error).cause)
    if (cause instanceof ApplicationFailure && isFailureType(cause.type)) {
      found = cause
      break
    }
  if (!found || !isFailureType(found.type)) {
    const timedOut = error instanceof ActivityFailure && error.cause instanceof TimeoutFailure
    const type = timedOut ? 'TimedOut' : 'InternalError'
    return { type, message: describe(error), remedy: FAILURES[type].remedy }
  }
  const detail = (found.details?.[0] ?? {}) as { output?: string }
  return {
    type: found.type,
    message: found.message,
    remedy: FAILURES[found.type].remedy,
    ...(detail.output ? { output: detail.output } : {}),
  }
}

/** How a job's work ended; what follows is decided by `kind`. */
export type Ending<T> =
  | { kind: 'finished'; value: T }
  | { kind: 'failed'; report: FailureReport }
  | { kind: 'cancelled'; error: unknown }

export async function ending<T>(work: () => Promise<T>): Promise<Ending<T>> {
  try {
    return { kind: 'finished', value: await work() }
  } catch (error) {
    if (isCancellation(error)) return { kind: 'cancelled', error }
    // Anything but a failure is a defect of ours: let the workflow task fail, so that a fixed worker goes on from here.
    if (!(error instanceof ApplicationFailure || error instanceof ActivityFailure)) throw error
    return { kind: 'failed', report: toReport(error) }
  }
}

function describe(error: unknown): string {
  if (error instanceof ActivityFailure)
    return `${error.activityType}: ${error.cause?.message ?? error.message}`
  return error instanceof Error ? error.message : String(error)
}
