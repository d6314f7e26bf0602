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

/** Starts it, and resolves once it is ready. Throws where that takes more than a minute. */
export async function runStartCommand(envd: EnvdClient, { command, ready }: StartCommand): Promise<void> {
  if (command !== undefined) await envd.launch(command)
  if (ready === undefined) return
  const deadline = Date.now() + readyTimeoutMs
  while ((await envd.run(ready)) !== 0) {
    if (Date.now() > deadline)
      throw new Error(`start command isn't ready after ${readyTimeoutMs / 1000} s: '${ready}' still fails`)
    await delay(betweenMs)
  }
}
