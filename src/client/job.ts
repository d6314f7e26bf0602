import { setTimeout as delay } from 'node:timers/promises'
import type { Client, WorkflowHandle } from '@temporalio/client'
import type { UpdateDefinition } from '@temporalio/common'
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/codec-helpers.js'
import type { FailureType } from '../contract/failures.ts'
import type { CommandHeartbeat, DiffSummary, JobEvent, JobResult, JobStatus } from '../contract/job.ts'
import {
  allowToolUpdate,
  approveUpdate,
  denyToolUpdate,
  diffQuery,
  eventsQuery,
  notifySignal,
  rejectUpdate,
  requestChangesUpdate,
  statusQuery,
} from '../contract/messages.ts'
import { type OutputChunk, type OutputPlace, stepOutputName } from '../contract/output.ts'
import { parse, describeProblems } from '../contract/parse.ts'
import { changeRequest, type ChangeRequestInput } from '../contract/spec.ts'
import { type EventPlace, type LiveAgentEvent, withAgentEvents } from './agent-events.ts'
import { HoldfastError, typed } from './errors.ts'
import type { FollowOutput, Outputs } from './outputs.ts'
import { ask, requestUnlessEarly } from './requests.ts'

/** How often `events` asks for news: quickly while something happens, slowly while the job waits. Milliseconds. */
const POLL = { fastest: 150, slowest: 2_000 }

export interface StepOutput extends OutputChunk {
  /** Whose output it is. */
  step: number
}

export interface EventOptions {
  /** The `seq` of the first event wanted; 0 if left out. */
  from?: number
  /** In place of it, the last event seen. */
  after?: EventPlace
  signal?: AbortSignal | undefined
}

/**
 * One job: a typed view of its `agentJob` workflow. Every method throws HoldfastError; `NoWorker` where no worker answers for half a minute,
 * or a minute where it is told something.
 */
export class Job {
  readonly id: string
  /** The run that was started or found; undefined where the job was only named. */
  readonly runId: string | undefined
  readonly #client: Client
  readonly #outputs: Outputs
  readonly #handle: WorkflowHandle
  /** The round whose review this object has told of last. */
  #toldRound: number | undefined

  constructor(client: Client, outputs: Outputs, id: string, runId?: string) {
    this.id = id
    this.#outputs = outputs
    this.runId = runId
    this.#client = client
    this.#handle = client.workflow.getHandle(id)
  }

  /** Where the job is now; Temporal query `status`. @throws `JobNotFound` */
  async status(): Promise<JobStatus> {
    const status = await this.#status()
    if (status.waitingFor?.kind === 'review') this.#toldRound = status.round
    return status
  }

  #status(): Promise<JobStatus> {
    return ask(() => this.#call((handle) => handle.query(statusQuery)))
  }

  /** The work so far against the base, null before the first diff; Temporal query `diff`. */
  diff(): Promise<DiffSummary | null> {
    return ask(() => this.#call((handle) => handle.query(diffQuery)))
  }

  /** Approves the work that waits for review; Temporal update `approve`. @throws `NotWaitingForReview` */
  approve(answer: { by: string; comment?: string }): Promise<void> {
    return this.#answerReview(approveUpdate, answer)
  }

  /** Rejects it and so ends the job, with outcome `rejected`; Temporal update `reject`. @throws `NotWaitingForReview` */
  reject(answer: { by: string; reason?: string }): Promise<void> {
    return this.#answerReview(rejectUpdate, answer)
  }

  /**
   * Has the steps run again, or those given instead, with the feedback in `HOLDFAST_FEEDBACK`; Temporal update
   * `requestChanges`. @throws `NotWaitingForReview`, `InvalidSpec`
   */
  async requestChanges(request: ChangeRequestInput): Promise<void> {
    const parsed = parse(changeRequest, request)
    if (!parsed.ok)
      throw new HoldfastError('InvalidSpec', describeProblems(parsed.problems), { problems: parsed.problems })
    await this.#answerReview(requestChangesUpdate, parsed.value)
  }

  /**
   * Allows the call of a tool that the job waits for; Temporal update `allowTool`.
   *
   * @param answer.call its hash, as `status().waitingFor` has it: another call is not allowed by it
   * @throws `NotWaitingForTool`
   */
  allowTool(answer: { by: string; call: string }): Promise<void> {
    return this.#answerTool(allowToolUpdate, answer)
  }

  /** Refuses it, and tells the model why; Temporal update `denyTool`. @throws `NotWaitingForTool` */
  denyTool(answer: { by: string; call: string; reason?: string }): Promise<void> {
    return this.#answerTool(denyToolUpdate, answer)
  }

  /**
   * Tells the job that something has happened which a `waitFor` step of that name waits for, now or later; Temporal
   * signal `notify`. Resolves once the server has it. @throws `JobNotFound`
   */
  notify(name: string): Promise<void> {
    return this.#call((handle) => handle.signal(notifySignal, { name }))
  }

  /** Asks the job to end: its command is stopped and its sandbox cleaned up; Temporal cancellation. */
  async cancel(): Promise<void> {
    await this.#call((handle) => handle.cancel())
  }

  /** Waits for the end. @throws the failure of the job, `JobCancelled`, `JobTerminated` */
  result(): Promise<JobResult> {
    return this.#call((handle) => handle.result() as Promise<JobResult>)
  }

  /** Number of events in the history of the workflow's current run, and whether it still runs. */
  async describe(): Promise<{
    runId: string
    running: boolean
    historyEvents: number
    specHash: string | undefined
  }> {
    const description = await this.#call((handle) => handle.describe())
    return {
      runId: description.runId,
      running: description.status.name === 'RUNNING',
      historyEvents: description.historyLength,
      specHash: description.memo?.holdfastSpecHash as string | undefined,
    }
  }

  /**
   * What the running command has printed lately (at most 4 KB), from its activity's heartbeat; undefined where no command runs. Live, as fresh
   * as the worker's heartbeat throttle; it costs one describe call and no history.
   */
  async liveOutput(): Promise<CommandHeartbeat | undefined> {
    const { raw } = await this.#call((handle) => handle.describe())
    for (const activity of raw.pendingActivities ?? []) {
      const [details] = await decodeArrayFromPayloads(
        this.#client.options.loadedDataConverter,
        activity.heartbeatDetails?.payloads,
      )
      if (details) return details as CommandHeartbeat
    }
    return undefined
  }

  /**
   * All that a step prints, while it runs and afterwards, from the workers' blob store: of secrets, `***`. Waits for a step that hasn't begun.
   * After a disconnect go on with `step: last.step, from: last.next`. It costs Temporal a query about every second, and no history.
   *
   * @param options.step its number in `status().steps` or in the event `stepStarted`; the one that runs, or else the last, if left out
   * @throws `BlobStoreUnavailable` where this program doesn't know the workers' blob store; `JobNotFound`
   */
  async *output(options: FollowOutput & { step?: number } = {}): AsyncGenerator<StepOutput, void> {
    const status = await this.status()
    const { steps, current } = status
    const step = options.step ?? Math.max(0, current === null ? steps.length - 1 : steps.length)
    const over = async (): Promise<boolean> => {
      const status = await this.status()
      return status.steps.length > step || status.phase === 'done' || !(await this.describe()).running
    }
    for await (const chunk of this.#outputs.follow(
      this.id,
      await this.#outputName(step, status),
      over,
      options,
    ))
      yield { step, ...chunk }
  }

  /**
   * What happens, in order, until the job has ended or `signal` aborts. Resume with `from: last.seq + 1`, or with `after: last`. Temporal has
   * no push to a client without cost in the history, so this asks by query.
   *
   * @param options.agents tells too what agents think, say, call, edit and use, while they do it; read from their output in the
   * workers' blob store. `after: last` goes on behind the very event, where `last` is one of these; otherwise a turn that goes on is told from its beginning
   * @throws `JobNotFound`; with `agents` `BlobStoreUnavailable` where this program doesn't know the workers' blob store
   */
  events(options: EventOptions & { agents: true }): AsyncGenerator<JobEvent | LiveAgentEvent, void>
  events(options?: EventOptions & { agents?: false }): AsyncGenerator<JobEvent, void>
  events({
    from = 0,
    after = { seq: from - 1 },
    agents = false,
    signal,
  }: EventOptions & { agents?: boolean } = {}): AsyncGenerator<JobEvent | LiveAgentEvent, void> {
    if (!agents) return this.#events(after.seq + 1, { signal })
    const follow = (step: number, end: AbortSignal, place?: OutputPlace) =>
      this.#stepOutput(step, end, { ...(place && { from: place }), ...(signal && { signal }) })
    const events = (left: AbortSignal) =>
      this.#events(0, { signal: signal ? AbortSignal.any([signal, left]) : left })
    return withAgentEvents(events, follow, after)
  }

  async *#stepOutput(
    step: number,
    end: AbortSignal,
    options: FollowOutput,
  ): AsyncGenerator<OutputChunk, void> {
    yield* this.#outputs.follow(this.id, await this.#outputName(step, await this.status()), end, options)
  }

  async #outputName(step: number, { firstRunId }: JobStatus): Promise<string> {
    return stepOutputName(firstRunId ?? (await this.describe()).runId, step)
  }

  async *#events(from: number, options: Pick<EventOptions, 'signal'>): AsyncGenerator<JobEvent, void> {
    let next = from
    let wait = POLL.fastest
    while (!options.signal?.aborted) {
      const page = await ask(() => this.#call((handle) => handle.query(eventsQuery, next)), ['NoWorker'])
      next = page.next
      for (const event of page.events) {
        if (event.type === 'reviewRequested') this.#toldRound = event.round
        yield event
        if (event.type === 'phase' && event.phase === 'done') return
      }
      if (page.events.length > 0) wait = POLL.fastest
      else {
        // A terminated job never says that it is done.
        if (wait >= POLL.slowest && !(await this.describe()).running) return
        await delay(wait, undefined, { ...(options.signal && { signal: options.signal }) }).catch(
          () => undefined,
        )
        wait = Math.min(wait * 1.3, POLL.slowest)
      }
    }
  }

  /** @param answer to the review that this object has told of last, where it has told of one */
  #answerReview<T>(update: UpdateDefinition<void, [T]>, answer: T): Promise<void> {
    const told = this.#toldRound
    return this.#answer(
      update,
      answer,
      'NotWaitingForReview',
      ({ waitingFor, round }) => waitingFor?.kind === 'review' && round === told,
    )
  }

  #answerTool<T extends { call: string }>(update: UpdateDefinition<void, [T]>, answer: T): Promise<void> {
    return this.#answer(
      update,
      answer,
      'NotWaitingForTool',
      ({ waitingFor }) => waitingFor?.kind === 'tool' && waitingFor.call === answer.call,
    )
  }

  #answer<T>(
    update: UpdateDefinition<void, [T]>,
    answer: T,
    tooEarly: FailureType,
    isAsked: (status: JobStatus) => boolean,
  ): Promise<void> {
    return requestUnlessEarly(
      (updateId) => this.#call((handle) => handle.executeUpdate(update, { args: [answer], updateId })),
      tooEarly,
      async () => isAsked(await this.#status()),
    )
  }

  #call<T>(call: (handle: WorkflowHandle) => Promise<T>): Promise<T> {
    return typed(() => call(this.#handle), this.id)
  }
}
