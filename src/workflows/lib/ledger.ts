import { CancellationScope, condition, isCancellation } from '@temporalio/workflow'
import {
  type Actions,
  type Cost,
  costOf,
  type Limits,
  LIST_PRICES,
  type ModelUse,
  NO_MODEL_USE,
  reachedLimit,
  type Tariff,
  untilLimit,
} from '../../contract/cost.ts'
import { actionsSoFar, countOn } from './actions.ts'
import { jobFailure } from './failures.ts'
import type { SandboxLease } from './lease.ts'

/** For the next run of the workflow. */
export interface LedgerState {
  tariff: Tariff
  models: ModelUse
  actions: Actions
}

/** What a job costs, and the end of its work where that reaches a limit. */
export class Ledger {
  /** The worker's own, once it is known. */
  tariff = LIST_PRICES
  #models: ModelUse = NO_MODEL_USE
  readonly #lease: SandboxLease

  constructor(lease: SandboxLease, earlier?: LedgerState) {
    this.#lease = lease
    if (!earlier) return
    this.tariff = earlier.tariff
    this.#models = earlier.models
    countOn(earlier.actions)
  }

  get saved(): LedgerState {
    return { tariff: this.tariff, models: this.#models, actions: actionsSoFar() }
  }

  get cost(): Cost {
    return costOf(this.#lease.use, actionsSoFar(), this.tariff, this.#models)
  }

  /** What agents and models have used so far. */
  get models(): ModelUse {
    return this.#models
  }

  note({ inputTokens, outputTokens, usd }: ModelUse): void {
    const { inputTokens: read, outputTokens: written, usd: spent } = this.#models
    this.#models = {
      inputTokens: read + inputTokens,
      outputTokens: written + outputTokens,
      usd: spent + usd,
    }
  }

  /**
   * Does the work, and cancels it where a limit is reached, even while a command runs.
   *
   * @throws `LimitReached` after the work has ended
   */
  async within<T>(limits: Limits | undefined, work: () => Promise<T>): Promise<T> {
    if (!limits) return work()
    const [working, watching] = [new CancellationScope(), new CancellationScope()]
    let reached: keyof Limits | undefined
    // A cancelled job stops this at once, long before its work has ended: not handled until then, that would fail the workflow's task.
    const watch = watching
      .run(async () => {
        reached = await this.#reaches(limits)
        working.cancel()
      })
      .catch((error: unknown) => {
        if (!isCancellation(error)) throw error
      })
    try {
      return await working.run(work)
    } catch (error) {
      throw reached && isCancellation(error) ? this.#failure(reached) : error
    } finally {
      watching.cancel()
      await watch
    }
  }

  async #reaches(limits: Limits): Promise<keyof Limits> {
    for (;;) {
      const reached = reachedLimit(this.cost, limits)
      if (reached) return reached
      const { size, state } = this.#lease
      const ms = untilLimit(this.cost, limits, { ...size, state }, this.tariff)
      // Looked at whenever something happens: actions cost, and the sandbox's pauses change how long there is.
      const changed = (): boolean =>
        this.#lease.state !== state || reachedLimit(this.cost, limits) !== undefined
      await (ms === Infinity
        ? condition(changed)
        : condition(changed, Math.max(1, ms), { summary: 'until a limit would be reached' }))
    }
  }

  #failure(limit: keyof Limits): Error {
    const { sandbox, usd } = this.cost
    const spent =
      limit === 'sandboxTime'
        ? `the sandbox has run for ${Math.round(sandbox.runningMs / 1000)} s`
        : `the job has cost ${usd.toPrecision(3)} USD`
    return jobFailure('LimitReached', `limits.${limit}: ${spent}`)
  }
}
