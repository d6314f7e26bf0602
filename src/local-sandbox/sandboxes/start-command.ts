import { setTimeout as delay } from 'node:timers/promises'
import type { EnvdClient } from './envd-client.ts'

/** What a template starts in each of its sandboxes. */
export interface StartCommand {
  command: string | undefined
  /** Run again and again until it exits with 0. */
  ready: string | undefined
}

const readyTimeoutMs = 60_000
const betweenMs = 100

/**
 * Starts it, and resolves once it is ready. Throws where that takes more than a minute, whether a ready command has failed
 * until then or doesn't return, and with the reason of `killed` when that is aborted.
 */
export async function runStartCommand(
  envd: Pick<EnvdClient, 'launch' | 'run'>,
  { command, ready }: StartCommand,
  killed: AbortSignal,
  timeoutMs = readyTimeoutMs,
): Promise<void> {
  if (command !== undefined) await envd.launch(command)
  if (ready === undefined) return
  const late = AbortSignal.timeout(timeoutMs)
  const signal = AbortSignal.any([killed, late])
  try {
    while ((await envd.run(ready, { signal })) !== 0) await delay(betweenMs, undefined, { signal })
  } catch (error) {
    killed.throwIfAborted()
    if (!late.aborted) throw error
    throw new Error(`start command isn't ready after ${timeoutMs / 1000} s: '${ready}' has not succeeded`, {
      cause: error,
    })
  }
}
