/**
 * A signal that aborts at the first SIGINT, SIGTERM or SIGHUP, with `onFirst` called; a second SIGINT or SIGTERM ends the
 * process at once, with 130. Nobody need read what it prints, either: a terminal that closes, or `tee` at a Ctrl-C, leaves
 * before the clean-up is over.
 */
export function interruption(onFirst: () => void): AbortSignal {
  const controller = new AbortController()
  const interrupt = (): void => {
    if (controller.signal.aborted) return
    controller.abort(new Error('interrupted'))
    onFirst()
  }
  const interruptOrForce = (): void => {
    if (controller.signal.aborted) process.exit(130)
    interrupt()
  }
  process.on('SIGINT', interruptOrForce).on('SIGTERM', interruptOrForce)
  // A terminal that closes sends it, and so does its shell: twice means no more than once.
  process.on('SIGHUP', interrupt)
  for (const stream of [process.stdout, process.stderr])
    stream.removeAllListeners('error').on('error', () => undefined)
  return controller.signal
}

/** Resolves when the signal aborts, at once where it has. */
export const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
