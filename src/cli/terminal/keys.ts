const [TILDE, DOT, RETURN, NEWLINE] = ['~', '.', '\r', '\n'].map((key) => key.charCodeAt(0))

/** What ends our part, for people. */
export const DETACH_KEYS = 'Enter, then ~.'

/**
 * Looks through what is typed for the keys that detach, as ssh has them: `~.` at the start of a line; `~~` there is one tilde. All else passes
 * as it is, Ctrl-C too.
 */
export class Keys {
  #lineStart = true
  #tilde = false

  /** @returns what is to be sent, and whether to detach after it: then the rest of `typed` is dropped */
  take(typed: Uint8Array): { send: Uint8Array; detach: boolean } {
    const send: number[] = []
    for (const key of typed) {
      if (this.#tilde) {
        this.#tilde = false
        if (key === DOT) return { send: Uint8Array.from(send), detach: true }
        send.push(TILDE!)
        if (key === TILDE) continue
      } else if (this.#lineStart && key === TILDE) {
        ;[this.#tilde, this.#lineStart] = [true, false]
        continue
      }
      send.push(key)
      this.#lineStart = key === RETURN || key === NEWLINE
    }
    return { send: Uint8Array.from(send), detach: false }
  }
}
