import { condition, setHandler } from '@temporalio/workflow'
import { notifySignal } from '../../contract/messages.ts'

/** More names than this at once are dropped, newest first: nobody waits for so many. */
const MAX_NAMES = 1_000

/** What the job was told of outside events. Each is taken once, by the first step that waits for its name. */
export class Notifications {
  readonly #names: Set<string>

  constructor(earlier: string[] = []) {
    this.#names = new Set(earlier)
    setHandler(
      notifySignal,
      (input) => {
        const name = (input as { name?: unknown } | undefined)?.name
        if (typeof name === 'string' && this.#names.size < MAX_NAMES) this.#names.add(name)
      },
      { description: 'Something has happened that a waitFor step waits for: {"name": "ci"}' },
    )
  }

  /** Those that no step has taken yet. */
  get saved(): string[] {
    return [...this.#names]
  }

  take(name: string): boolean {
    return this.#names.delete(name)
  }

  /** Waits, durably; false when nothing came in time. */
  async wait(name: string, timeoutMs: number): Promise<boolean> {
    await condition(() => this.#names.has(name), timeoutMs, { summary: `wait for ${name}` })
    return this.take(name)
  }
}
