import { ApplicationFailure } from '@temporalio/common'
import { FAILURES, isTerminal, type FailureType } from './failures.ts'

interface FailureOptions {
  /** Output of the command that failed, for people. */
  output?: string
  cause?: unknown
  /** False where nothing was begun for certain, so that it may be done elsewhere. */
  began?: false
  /** Wait so long (ms) before the next try, where the other side said how long. */
  retryAfterMs?: number
}

/**
 * A failure of the closed list, for an activity to throw. Temporal retries it, or not, as the list says. Its details are
 * one object: the remedy, and the output where a command failed.
 */
export function failure(
  type: FailureType,
  message: string,
  options: FailureOptions = {},
): ApplicationFailure {
  return ApplicationFailure.create({
    type,
    message,
    nonRetryable: isTerminal(type),
    details: [
      {
        remedy: FAILURES[type].remedy,
        ...(options.output ? { output: options.output } : {}),
        ...(options.began === false ? { began: false } : {}),
      },
    ],
    ...(options.cause instanceof Error ? { cause: options.cause } : {}),
    ...(options.retryAfterMs ? { nextRetryDelay: options.retryAfterMs } : {}),
  })
}
