import { ApplicationFailure, condition, setHandler } from '@temporalio/workflow'
import { FAILURES, type FailureType } from '../../contract/failures.ts'
import type { ReviewAnswer } from '../../contract/job.ts'
import { approveUpdate, rejectUpdate, requestChangesUpdate } from '../../contract/messages.ts'

/** Where a person's answer arrives. It is taken only while one is asked for, and only the first. */
export class ReviewDesk {
  #open = false
  #answer: ReviewAnswer | undefined

  constructor() {
    setHandler(approveUpdate, ({ by, comment }) => this.#take({ decision: 'approve', by, comment }), {
      description: 'Approve the work: {"by": "your name", "comment": "optional"}',
      validator: (input) => this.#check(input),
    })
    setHandler(rejectUpdate, ({ by, reason }) => this.#take({ decision: 'reject', by, reason }), {
      description: 'Reject the work and end the job: {"by": "your name", "reason": "optional"}',
      validator: (input) => this.#check(input),
    })
    setHandler(
      requestChangesUpdate,
      ({ by, feedback, steps }) => this.#take({ decision: 'requestChanges', by, feedback, steps }),
      {
        description:
          'Have the steps run again with feedback: {"by": "your name", "feedback": "what to change"}',
        validator: (input) => {
          this.#check(input)
          if (typeof input.feedback !== 'string' || input.feedback.trim() === '')
            throw reviewFailure('InvalidSpec', 'feedback: is empty; say what to change')
        },
      },
    )
  }

  /** Waits, durably, for an answer; undefined when none came in time. */
  async wait(timeoutMs: number): Promise<ReviewAnswer | undefined> {
    this.#answer = undefined
    this.#open = true
    await condition(() => this.#answer !== undefined, timeoutMs)
    this.#open = false
    return this.#answer
  }

  #take(answer: ReviewAnswer): void {
    this.#answer = answer
    this.#open = false
  }

  #check(input: { by?: unknown } | undefined): void {
    if (typeof input?.by !== 'string' || input.by.trim() === '')
      throw reviewFailure('InvalidSpec', 'by: is missing; say who answers, as in {"by": "your name"}')
    if (!this.#open)
      throw reviewFailure(
        'NotWaitingForReview',
        this.#answer
          ? `this review was answered already, by ${this.#answer.by}`
          : 'the job does not wait for a review now',
      )
  }
}

const reviewFailure = (type: FailureType, message: string): ApplicationFailure =>
  ApplicationFailure.nonRetryable(message, type, { remedy: FAILURES[type].remedy })
