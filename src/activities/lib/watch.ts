import { Context } from '@temporalio/activity'
import type { FileEvent } from '../../contract/operations/results.ts'

/** Events that come within this, in ms, reach the workflow as one signal. */
const BATCH_MS = 250

type Watch = (
  onEvent: (event: FileEvent) => void,
  onExit: (error?: Error) => void,
) => Promise<{ stop(): Promise<void> }>

/**
 * Watches until the time is over, so many events have come, or the activity is cancelled.
 *
 * @param onBatch is given the events as they come
 */
export async function watchDirectory(
  watch: Watch,
  { timeoutMs, maxEvents }: { timeoutMs: number; maxEvents: number },
  onBatch?: (events: FileEvent[]) => Promise<void>,
): Promise<{ events: FileEvent[]; truncated: boolean }> {
  const { cancellationSignal, info } = Context.current()
  const left = info.scheduledTimestampMs + timeoutMs - Date.now()
  const events: FileEvent[] = []
  let end!: () => void
  let fail!: (error: unknown) => void
  const over = new Promise<void>((resolve, reject) => {
    end = resolve
    fail = reject
  })
  let sent = 0
  let truncated = false
  const flush = async (): Promise<void> => {
    const batch = events.slice(sent)
    sent = events.length
    if (batch.length > 0) await onBatch?.(batch)
  }
  const timer = setTimeout(end, Math.max(0, left))
  const batches = setInterval(() => void flush().catch(fail), BATCH_MS)
  cancellationSignal.addEventListener('abort', () => end(), { once: true })
  const handle = await watch(
    (event) => {
      truncated ||= events.length >= maxEvents
      if (!truncated) events.push(event)
      if (events.length >= maxEvents) end()
    },
    (error) => (error ? fail(error) : end()),
  )
  try {
    await over
    await flush()
    return { events, truncated }
  } finally {
    clearTimeout(timer)
    clearInterval(batches)
    await handle.stop()
  }
}
