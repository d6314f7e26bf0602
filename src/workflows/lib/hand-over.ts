import { allHandlersFinished, condition, Trigger } from '@temporalio/workflow'
import { jobFailure } from './failures.ts'

/** For how long, in ms, the next run waits for what runs to end in this one. */
const HAND_OVER_MS = 3_000

/** How a run of a session ends while requests are under way: those that can't be handed over to the next run end first. */
export class HandOver {
  readonly #done = new Trigger<void>()
  #over = false
  /** How many are under way that can't be handed over. */
  #bound = 0

  /** Waits for what runs, and longer for what can't be handed over; tells the senders of the rest to ask again. */
  async end(): Promise<void> {
    if (!allHandlersFinished())
      await condition(allHandlersFinished, HAND_OVER_MS, { summary: 'let requests end before the next run' })
    await condition(() => this.#bound === 0)
    this.#over = true
    this.#done.resolve()
    await condition(allHandlersFinished)
  }

  /** The activity of what is handed over ends with the run, which its worker hears of: it lets go of the command. */
  async until<T>(work: Promise<T>): Promise<T> {
    const handedOver = async (): Promise<never> => {
      await this.#done
      throw turning()
    }
    return Promise.race([work, handedOver()])
  }

  /** For work that ends in the run that it has begun in. */
  async bound<T>(work: () => Promise<T>): Promise<T> {
    if (this.#over) throw turning() // whoever asked was told, and asks again
    this.#bound++
    try {
      return await work()
    } finally {
      this.#bound--
    }
  }
}

const turning = () => jobFailure('SessionTurning', 'the session goes on in a new run; there it is under way')
