import { setTimeout as delay } from 'node:timers/promises'
import type { Job } from '../client/job.ts'
import type { EventPlace, LiveAgentEvent } from '../client/agent-events.ts'
import { HoldfastError } from '../client/errors.ts'
import type { CommandHeartbeat, JobEvent } from '../contract/job.ts'
import { orAborted, untilAborted } from './abort.ts'
import { isCommand } from './progress.ts'

/** Of a job, what following it takes. */
export type Followed = Pick<Job, 'events' | 'liveOutput' | 'status'>

/** Where the news of a job go. Without `output` no live output is asked for. */
export interface ProgressSink {
  event(event: JobEvent): void
  /** What an agent does, as far as its output is known. Without it nobody asks. */
  agent?(event: LiveAgentEvent): void
  output?(beat: CommandHeartbeat): void
  notice?(text: string): void
}

export interface FollowOptions {
  /** The `seq` of the first event wanted. */
  from?: number
  /** Stops following; the job goes on. */
  signal?: AbortSignal
  /** How long to keep trying when nobody answers for the job, in ms. */
  patienceMs?: number
}

const LIVE_OUTPUT_MS = 1_000
const RETRY_MS = 1_000

/**
 * Follows a job to its end: its events and, while a command runs, that command's output about once a second. Where the
 * server, or a worker to answer for the job, is away for a while, it says so and goes on when it is back.
 *
 * @returns the `seq` to go on from, and whether the job has ended (false: `signal` was aborted)
 * @throws HoldfastError `JobNotFound`; `ServerUnreachable` when nobody has answered for `patienceMs`
 */
export async function followJob(
  job: Followed,
  sink: ProgressSink,
  { from = 0, signal, patienceMs = 60_000 }: FollowOptions = {},
): Promise<{ next: number; ended: boolean }> {
  const live = new LiveOutput(job, sink)
  let next = from
  let last: EventPlace = { seq: from - 1 }
  let commandRuns = false
  let agents = sink.agent !== undefined
  try {
    for (;;) {
      try {
        const events = agents
          ? job.events({ after: last, signal, agents })
          : job.events({ from: next, signal })
        for await (const event of untilAborted(events, signal)) {
          last = event
          if (event.type === 'agentEvent') {
            sink.agent?.(event)
            continue
          }
          next = event.seq + 1
          sink.event(event)
          commandRuns = event.type === 'stepStarted' && isCommand(event.kind)
          if (commandRuns) live.start()
          else live.stop()
        }
        return { next, ended: !signal?.aborted }
      } catch (error) {
        if (agents && error instanceof HoldfastError && error.type === 'BlobStoreUnavailable') {
          sink.notice?.(`what agents do is not shown: ${error.message}`)
          agents = false
          continue
        }
        await regainContact(job, sink, { error, patienceMs, signal })
        if (commandRuns) live.start()
      }
    }
  } finally {
    live.stop()
  }
}

/** Asks, while a command runs, what it prints. */
class LiveOutput {
  readonly #job: Followed
  readonly #sink: ProgressSink
  #running: AbortController | undefined

  constructor(job: Followed, sink: ProgressSink) {
    this.#job = job
    this.#sink = sink
  }

  start(): void {
    this.stop()
    if (!this.#sink.output) return
    this.#running = new AbortController()
    void this.#ask(this.#running.signal)
  }

  stop(): void {
    this.#running?.abort()
    this.#running = undefined
  }

  async #ask(stopped: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await delay(LIVE_OUTPUT_MS, undefined, { signal: stopped })
        const beat = await this.#job.liveOutput()
        if (stopped.aborted) return
        if (beat) this.#sink.output?.(beat)
      }
    } catch (error) {
      if (stopped.aborted || isRetryable(error)) return // lost contact is told by the events, and ended there
      this.#sink.notice?.(`no live output of this command: ${(error as Error).message}`)
    }
  }
}

/** Returns once somebody answers for the job, or `signal` aborts. @throws the error, where it isn't one that passes */
async function regainContact(
  job: Followed,
  sink: ProgressSink,
  lost: { error: unknown; patienceMs: number; signal: AbortSignal | undefined },
): Promise<void> {
  const giveUpAt = Date.now() + lost.patienceMs
  let { error } = lost
  let said = false
  while (!lost.signal?.aborted) {
    if (!isRetryable(error) || Date.now() >= giveUpAt) throw error
    if (!said) sink.notice?.(`nobody answers for the job (${error.message}); still trying`)
    said = true
    await orAborted(delay(RETRY_MS), lost.signal)
    try {
      if (!(await orAborted(job.status(), lost.signal))) return
      sink.notice?.('back in contact')
      return
    } catch (again) {
      error = again
    }
  }
}

const isRetryable = (error: unknown): error is Error =>
  error instanceof Error && 'retryable' in error && error.retryable === true
