/** The sandbox that an activity works in. */
export interface SandboxTarget {
  sandboxId: string
  /** How many sandboxes the workflow has had, this one included. */
  sandboxNumber: number
  /** ms by which the sandbox's own timeout is extended while it is used. */
  sandboxTimeoutMs: number
  /**
   * What the last checkpoint wrote there, or what one that isn't known to have succeeded may have; none before the clone. A
   * sandbox that paused itself may come back without its files, and then without these: nothing is begun in it.
   */
  sentinels: string[]
  /** When what is asked for was asked for first, in ms since the epoch; left out where that is now. */
  askedAt?: number | undefined
  /** Names what is asked for within the run of the workflow: asked for again after an outage, it is attached to. See `DurableCommand`. */
  key?: string | undefined
}

/** The sandbox that an activity's input or result names. */
export function sandboxIdIn(value: unknown): string | undefined {
  const { sandboxId, target } = (value ?? {}) as { sandboxId?: unknown; target?: { sandboxId?: unknown } }
  const found = sandboxId ?? target?.sandboxId
  return typeof found === 'string' ? found : undefined
}
