import { condition, setHandler, TemporalFailure } from '@temporalio/workflow'
import type { ReviewAnswer } from '../../contract/job.ts'
import {
  approveSignal,
  approveUpdate,
  rejectSignal,
  rejectUpdate,
  requestChangesSignal,
  requestChangesUpdate,
} from '../../contract/messages.ts'
import { perform } from './activities.ts'
import { jobFailure, toReport } from './failures.ts'
import type { Journal } from './journal.ts'
import type { ChangeRequest } from './place.ts'
import type { TakenUpdates } from './taken-updates.ts'

const DESCRIPTIONS = {
  approve: 'Approve the work: {"by": "your name", "comment": "optional"}',
  reject: 'Reject the work and end the job: {"by": "your name", "reason": "optional"}',
  requestChanges: 'Have the steps run again with feedback: {"by": "your name", "feedback": "what to change"}',
}
const REFUSAL = '; a refusal is shown on the page'

/**
 * Where a person's answer arrives, as an update or, without a reply, as a signal. It is taken only while one is asked for, and only the
 * first.
 */
export class ReviewDesk {
  readonly #journal: Pick<Journal, 'refuse'>
  #open = false
  #answer: ReviewAnswer | undefined
  readonly #taken: TakenUpdates

  constructor(journal: Pick<Journal, 'refuse'>, taken: TakenUpdates) {
    this.#journal = journal
    this.#taken = taken
    const validator = (input: unknown): void => this.#check(input)
    setHandler(approveUpdate, (input) => this.#take({ ...input, decision: 'approve' }), {
      description: DESCRIPTIONS.approve,
      validator,
    })
    setHandler(rejectUpdate, (input) => this.#take({ ...input, decision: 'reject' }), {
      description: DESCRIPTIONS.reject,
      validator,
    })
    setHandler(requestChangesUpdate, (input) => this.#take({ ...input, decision: 'requestChanges' }), {
      description: DESCRIPTIONS.requestChanges,
      validator: (input) => {
        this.#check(input)
        checkFeedback(input)
      },
    })
    setHandler(approveSignal, (input) => this.#hear({ ...input, decision: 'approve' }), {
      description: DESCRIPTIONS.approve + REFUSAL,
    })
    setHandler(rejectSignal, (input) => this.#hear({ ...input, decision: 'reject' }), {
      description: DESCRIPTIONS.reject + REFUSAL,
    })
    setHandler(requestChangesSignal, (input) => this.#hear({ ...input, decision: 'requestChanges' }), {
      description: DESCRIPTIONS.requestChanges + REFUSAL,
    })
  }

  /** Waits, durably, for an answer; undefined when none came in time. */
  async wait(timeoutMs: number): Promise<ReviewAnswer | undefined> {
    this.#answer = undefined
    this.#open = true
    try {
      await condition(() => this.#answer !== undefined, timeoutMs, { summary: 'wait for a review' })
    } finally {
      // Also where the job is cancelled.
      this.#open = false
    }
    return this.#answer
  }

  async #hear(answer: ReviewAnswer): Promise<void> {
    try {
      this.#check(answer)
      if (answer.decision === 'requestChanges') checkFeedback(answer)
      await this.#take(answer)
    } catch (error) {
      // Thrown on, it would end the job.
      if (!(error instanceof TemporalFailure)) throw error
      this.#journal.refuse(`${answer.decision}: ${toReport(error).message}`)
    }
  }

  async #take(answer: ReviewAnswer): Promise<void> {
    if (this.#taken.isAgain) return
    const taken = answer.decision === 'requestChanges' ? await admitted(answer) : answer
    // Another answer may have come while this one's steps were checked.
    this.#check(taken)
    this.#taken.add()
    this.#answer = taken
    this.#open = false
  }

  #check(input: unknown): void {
    if (this.#taken.isAgain) return
    const by = (input as { by?: unknown } | undefined)?.by
    if (typeof by !== 'string' || by.trim() === '')
      throw jobFailure('InvalidSpec', 'by: is missing; say who answers, as in {"by": "your name"}')
    if (!this.#open)
      throw jobFailure(
        'NotWaitingForReview',
        this.#answer
          ? `this review was answered already, by ${this.#answer.by}`
          : 'the job does not wait for a review now',
      )
  }
}

function checkFeedback({ feedback }: { feedback?: unknown }): void {
  if (typeof feedback !== 'string' || feedback.trim() === '')
    throw jobFailure('InvalidSpec', 'feedback: is empty; say what to change')
}

/** Steps that come along are parsed by an activity, since zod stays out of workflows. @throws `InvalidSpec` */
async function admitted({ by, feedback, steps, decision }: ChangeRequest): Promise<ChangeRequest> {
  if (!steps) return { decision, by, feedback }
  const request = { by, feedback, steps }
  try {
    const { steps: parsed } = await perform('admitChanges', 'check the steps to run', { request })
    return { decision, by, feedback, steps: parsed }
  } catch (error) {
    const { type, message } = toReport(error)
    throw jobFailure(type, message)
  }
}
