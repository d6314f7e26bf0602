/** What the promise gives, or undefined as soon as the signal aborts; what it does after that is ignored. */
export async function orAborted<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T | undefined> {
  if (!signal) return promise
  let fire = (): void => undefined
  const aborted = new Promise<undefined>((resolve) => {
    fire = () => resolve(undefined)
  })
  signal.addEventListener('abort', fire, { once: true })
  if (signal.aborted) fire()
  try {
    return await Promise.race([aborted, promise])
  } finally {
    signal.removeEventListener('abort', fire)
  }
}

/** The items until the iterable ends or the signal aborts: then at once, though an item is being waited for. */
export async function* untilAborted<T>(
  items: AsyncGenerator<T, void>,
  signal?: AbortSignal,
): AsyncGenerator<T, void> {
  for (;;) {
    const item = await orAborted(items.next(), signal)
    if (!item || item.done) return
    yield item.value
  }
}

/** Aborts at the first Ctrl-C; a second one ends the process at once. Call `release` when there is nothing to stop. */
export function onInterrupt(exitCode: number): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController()
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(exitCode)
    controller.abort()
  }
  process.on('SIGINT', interrupt)
  return { signal: controller.signal, release: () => process.off('SIGINT', interrupt) }
}
