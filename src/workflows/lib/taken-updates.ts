import { currentUpdateInfo } from '@temporalio/workflow'

/** As many as a client may send again: it gives up after minutes. */
const MAX_KEPT = 100

/**
 * Updates that were taken, by id. Temporal does an update once in each run of a workflow; one whose reply was lost may come again in the next
 * run, where it must not answer another question.
 */
export class TakenUpdates {
  readonly #earlier: string[]
  readonly #now: string[] = []

  constructor(earlier: string[] = []) {
    this.#earlier = earlier
  }

  /** Whether the one that is handled now was taken in an earlier run. */
  get isAgain(): boolean {
    return this.#earlier.includes(currentUpdateInfo()?.id ?? '')
  }

  /** The one that is handled now. */
  add(): void {
    const update = currentUpdateInfo()
    if (update) this.#now.push(update.id)
  }

  /** For the next run. */
  get saved(): string[] {
    return [...this.#earlier, ...this.#now].slice(-MAX_KEPT)
  }
}
