import { sleep } from '@temporalio/workflow'
import { toReport } from './failures.ts'
import type { Journal } from './journal.ts'
import { outageWait } from './losses.ts'

/** ms of one outage before the job gives up. */
const LONGEST_MS = 24 * 60 * 60_000

/** A time in which something can't be reached: the job waits, longer each time, and tells of it. */
export class Outage {
  readonly #journal: Journal
  #since: number | undefined
  #tries = 0

  constructor(journal: Journal) {
    this.#journal = journal
  }

  /** Waits before the next try. @throws the error itself once the outage has lasted too long */
  async sitOut(error: unknown): Promise<void> {
    const since = (this.#since ??= Date.now())
    if (Date.now() - since > LONGEST_MS) throw error
    const failure = toReport(error)
    const ms = outageWait(this.#tries++)
    const until = Date.now() + ms
    this.#journal.waitingFor = { kind: 'outage', since, until, failure }
    this.#journal.record({ type: 'outage', failure, retryAt: until })
    try {
      await sleep(ms, { summary: `wait: ${failure.type}` })
    } finally {
      this.#journal.waitingFor = null
    }
  }

  over(): void {
    if (this.#since !== undefined) this.#journal.record({ type: 'outageOver', ms: Date.now() - this.#since })
  }
}
