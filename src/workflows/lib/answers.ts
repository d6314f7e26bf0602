import { currentUpdateInfo, uuid4 } from '@temporalio/workflow'
import type { Answer } from '../../contract/session.ts'

/** As many as a client may ask for again: it gives up after minutes. */
const MAX_KEPT = 100

/**
 * Answers to requests of which nothing but this tells that they are done. Temporal does an update once in each run of a workflow; one whose
 * reply was lost may come again in the next run, where it gets its first answer.
 */
export class Answers {
  #kept: Answer[]

  constructor(earlier: Answer[] = []) {
    this.#kept = earlier
  }

  /** For the next run. */
  get saved(): Answer[] {
    return this.#kept
  }

  /** The answer that a request had, the one that is handled now if no other is named; or else what the work gives. */
  async once<T>(work: () => Promise<T>, requestId = currentUpdateInfo()?.id ?? uuid4()): Promise<T> {
    const earlier = this.#kept.find((one) => one.requestId === requestId)
    if (earlier) return earlier.result as T
    const result = await work()
    this.#kept = [...this.#kept, { requestId, result }].slice(-MAX_KEPT)
    return result
  }
}
