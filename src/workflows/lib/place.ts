import type { ReviewAnswer } from '../../contract/job.ts'
import type { AgentJobSpec, Step } from '../../contract/spec.ts'
import { isAsked } from './turns.ts'

export type ChangeRequest = ReviewAnswer & { decision: 'requestChanges' }

/** Among steps in order, the next. */
export interface Cursor {
  next: number
}

/** Where a job is in a round of steps and checks, as data: the next run of its workflow goes on from there. */
export interface Place {
  /** What the round began with; nothing in the first. */
  changes?: ChangeRequest
  steps: Cursor
  checks: ChecksPlace
}

export interface ChecksPlace {
  attempt: number
  /** Prints of the red ones so far. */
  seen: string[]
  /** While a red one is mended: the commands behind who mends it. */
  mending?: Cursor
}

export const beginningOf = (steps: Cursor, changes?: ChangeRequest): Place => ({
  ...(changes && { changes }),
  steps,
  checks: { attempt: 1, seen: [] },
})

/** The steps of a round. */
export function stepsOf(spec: AgentJobSpec, { changes }: Place): Step[] {
  if (!changes) return spec.steps
  return changes.steps ?? stepsAgain(spec.steps)
}

/** Those that may be asked in words in this round or a later one. */
export const askable = (spec: AgentJobSpec, { changes }: Place): Step[] => [
  ...spec.steps,
  ...(changes?.steps ?? []),
]

/**
 * The steps that a request for changes runs again, or a red check: all of them, or from the last agent or model on, which
 * is told what to change.
 */
export function stepsAgain(steps: Step[]): Step[] {
  const last = steps.findLastIndex(isAsked)
  return last < 0 ? steps : steps.slice(last)
}
