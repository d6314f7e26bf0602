import { sleep } from '@temporalio/workflow'
import type { FailureReport } from '../../contract/failures.ts'
import { toReport } from './failures.ts'
import type { Journal } from './journal.ts'
import { outageWait } from './losses.ts'
import type { Workspace } from './workspace.ts'

/** ms of one outage before the job gives up. */
const LONGEST_MS = 24 * 60 * 60_000

/** A time in which something can't be reached: the job waits, longer each time, and tells of it. */
export class Outage {
  readonly #journal: Journal
  #since: number | undefined
  #tries = 0
  /** What has to be waited for before the next try. */
  failure: FailureReport | undefined

  constructor(journal: Journal) {
    this.#journal = journal
  }

  /** How long the next wait is, in ms. */
  get waitMs(): number {
    return outageWait(this.#tries)
  }

  /** @throws the error itself once the outage has lasted too long */
  note(error: unknown): void {
    this.#since ??= Date.now()
    if (Date.now() - this.#since > LONGEST_MS) throw error
    this.failure = toReport(error)
  }

  /** Waits until the next try, with the sandbox paused where that pays. @throws the error itself once the outage has lasted too long */
  async sitOut(error: unknown, workspace: Pick<Workspace, 'pauseAcross'>): Promise<void> {
    this.note(error)
    const why = `until the next try: ${this.failure?.type}`
    await workspace.pauseAcross(why, this.waitMs, () => this.wait())
  }

  /** Waits until the next try. */
  async wait(): Promise<void> {
    const { failure, waitMs } = this
    if (!failure) return
    const until = Date.now() + waitMs
    this.#journal.waitingFor = { kind: 'outage', since: this.#since ?? until, until, failure }
    this.#journal.record({ type: 'outage', failure, retryAt: until })
    await sleep(waitMs, { summary: `wait: ${failure.type}` })
    this.#journal.waitingFor = null
    this.#tries++
    this.failure = undefined
  }

  over(): void {
    if (this.#since !== undefined) this.#journal.record({ type: 'outageOver', ms: Date.now() - this.#since })
  }
}
