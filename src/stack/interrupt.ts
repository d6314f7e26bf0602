/**
 * A signal that aborts at the first SIGINT or SIGTERM, with `onFirst` called; the second ends the process at once, with 130.
 */
export function interruption(onFirst: () => void): AbortSignal {
  const controller = new AbortController()
  const listener = (): void => {
    if (controller.signal.aborted) process.exit(130)
    controller.abort(new Error('interrupted'))
    onFirst()
  }
  process.on('SIGINT', listener).on('SIGTERM', listener)
  return controller.signal
}

/** Resolves when the signal aborts, at once where it has. */
export const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
