/** What `next` answers when nothing came in time. */
export const idle = Symbol('idle')

/** A queue with one reader, which tells how many bytes wait so that a source can be slowed down. */
export class EventQueue<T> {
  #items: { item: T; bytes: number }[] = []
  #wake: (() => void) | undefined
  #onDrain: () => void
  bytes = 0

  /** `onDrain` is called whenever an item was taken. */
  constructor(onDrain: () => void) {
    this.#onDrain = onDrain
  }

  get length(): number {
    return this.#items.length
  }

  /** Takes all that waits. */
  drain(): T[] {
    const items = this.#items.map(({ item }) => item)
    this.#items = []
    this.bytes = 0
    this.#onDrain()
    return items
  }

  push(item: T, bytes = 0): void {
    this.#items.push({ item, bytes })
    this.bytes += bytes
    this.#wake?.()
  }

  /** The next item; `idle` after `timeoutMs` without one; undefined once `signal` is aborted. */
  async next(timeoutMs: number, signal: AbortSignal): Promise<T | typeof idle | undefined> {
    if (this.#items.length === 0 && !signal.aborted) await this.#wait(timeoutMs, signal)
    if (signal.aborted) return undefined
    const first = this.#items.shift()
    if (!first) return idle
    this.bytes -= first.bytes
    this.#onDrain()
    return first.item
  }

  #wait(timeoutMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        this.#wake = undefined
        resolve()
      }
      const timer = setTimeout(done, timeoutMs)
      signal.addEventListener('abort', done, { once: true })
      this.#wake = done
    })
  }
}
