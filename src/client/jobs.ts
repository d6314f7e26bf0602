import { randomUUID } from 'node:crypto'
import type { Readable } from 'node:stream'
import {
  Client,
  type Connection,
  type DataConverter,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/client'
import { JOBS_FILTER, SPEC_HASH_MEMO, SUBMITTED_AT_MEMO, WORKFLOW_TYPES } from '../contract/job.ts'
import { describeProblems, parse } from '../contract/parse.ts'
import { columnsAtStart } from '../contract/search-attributes.ts'
import { REAPER_GRACE_MS, type ReaperInput, type ReaperReport } from '../contract/sandboxes.ts'
import { jobText, reaperText } from '../contract/static-text.ts'
import { agentJobSpec, type AgentJobInput } from '../contract/spec.ts'
import type { ClientTracing } from '../tracing/start.ts'
import type { OpenBlobs } from './blobs.ts'
import { HoldfastError, typed } from './errors.ts'
import { startInList } from './start-in-list.ts'
import { Job } from './job.ts'
import { noWorkerFor, updatesWithoutWorker } from './no-worker.ts'
import { Outputs } from './outputs.ts'
import { Sessions } from './sessions.ts'
import { specHash } from './spec-hash.ts'

/** A job in a list. */
export interface JobSummary {
  id: string
  runId: string
  /** Temporal's status of the workflow: RUNNING, COMPLETED, FAILED, CANCELLED, TERMINATED … */
  status: string
  startedAt: Date
  closedAt: Date | undefined
}

interface JobsOptions {
  namespace: string
  taskQueue: string
  owner: string
  openBlobs: OpenBlobs
  dataConverter: DataConverter
  tracing: ClientTracing | undefined
}

/** The client of Holdfast: submits jobs, finds them. Every method throws HoldfastError. */
export class Jobs {
  /** Sandboxes that live long and are shared. */
  readonly sessions: Sessions
  readonly #connection: Connection
  readonly #client: Client
  readonly #taskQueue: string
  readonly #outputs: Outputs
  readonly #openBlobs: OpenBlobs
  readonly #tracing: ClientTracing | undefined

  constructor(connection: Connection, options: JobsOptions) {
    this.#connection = connection
    this.#openBlobs = options.openBlobs
    this.#outputs = new Outputs(options, options.openBlobs)
    const { namespace, tracing, dataConverter } = options
    const workflow = [...(tracing?.interceptors ?? []), updatesWithoutWorker(connection, namespace)]
    this.#client = new Client({ connection, namespace, dataConverter, interceptors: { workflow } })
    this.#tracing = tracing
    this.#taskQueue = options.taskQueue
    this.sessions = new Sessions(this.#client, options.taskQueue, this.#outputs)
  }

  /**
   * Starts a job, or finds the one that this spec started: submitting twice is safe. Temporal's `workflow.start`.
   *
   * @throws `InvalidSpec` with every wrong field, before anything is started; `SpecConflict` where the id belongs to a
   * job of another spec; `ServerUnreachable`
   */
  async submit(input: AgentJobInput): Promise<Job> {
    const parsed = parse(agentJobSpec, input)
    if (!parsed.ok)
      throw new HoldfastError('InvalidSpec', describeProblems(parsed.problems), { problems: parsed.problems })
    const spec = parsed.value
    const hash = specHash(spec)
    return typed(async () => {
      try {
        const handle = await startInList(this.#client, WORKFLOW_TYPES.agentJob, columnsAtStart(spec), {
          workflowId: spec.id,
          taskQueue: this.#taskQueue,
          args: [spec],
          memo: { [SPEC_HASH_MEMO]: hash },
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          workflowIdConflictPolicy: 'FAIL',
          ...(spec.priority && { priority: spec.priority }),
          ...jobText(spec),
        })
        return new Job(this.#client, this.#outputs, spec.id, handle.firstExecutionRunId)
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error
        const job = this.get(spec.id)
        const existing = await job.describe()
        if (existing.specHash === hash) return new Job(this.#client, this.#outputs, spec.id, existing.runId)
        throw new HoldfastError('SpecConflict', `the id ${spec.id} belongs to a job of another spec`, {
          cause: error,
        })
      }
    }, spec.id)
  }

  /** The job of that id, unasked: the first call on it tells whether there is one. */
  get(id: string): Job {
    return new Job(this.#client, this.#outputs, id)
  }

  /**
   * Jobs, newest first. Temporal's `workflow.list`.
   *
   * @param options.query a further condition in Temporal's list filter, such as `ExecutionStatus = "Running"`
   */
  async *list(options: { query?: string; limit?: number } = {}): AsyncGenerator<JobSummary, void> {
    const query = [JOBS_FILTER, ...(options.query ? [`(${options.query})`] : [])].join(' AND ')
    let left = options.limit ?? Infinity
    try {
      for await (const found of this.#client.workflow.list({ query })) {
        if (left-- <= 0) return
        const { workflowId, runId, status, startTime, closeTime, memo } = found
        const submittedAt = memo?.[SUBMITTED_AT_MEMO]
        const startedAt = typeof submittedAt === 'number' ? new Date(submittedAt) : startTime
        yield { id: workflowId, runId, status: status.name, startedAt, closedAt: closeTime }
      }
    } catch (error) {
      throw HoldfastError.from(error)
    }
  }

  /**
   * The sandboxes of the deployment behind the task queue, each with its owner and what becomes of it; with `reap` those
   * without an owner are killed. Runs the workflow `sandboxReaper`, so no key of E2B is needed here.
   *
   * @param options.graceMs sandboxes younger than this (ms) are left alone; 10 minutes by default
   * @throws `NoWorker`
   */
  sandboxes(options: { reap?: boolean; graceMs?: number } = {}): Promise<ReaperReport> {
    const input: ReaperInput = { dryRun: !options.reap, graceMs: options.graceMs ?? REAPER_GRACE_MS }
    return typed(async () => {
      const handle = await this.#client.workflow.start(WORKFLOW_TYPES.sandboxReaper, {
        workflowId: `sandbox-reaper-by-hand-${randomUUID()}`,
        taskQueue: this.#taskQueue,
        args: [input],
        workflowExecutionTimeout: '1h',
        ...reaperText(input),
      })
      const noWorker = await noWorkerFor(this.#connection, {
        namespace: this.#client.options.namespace,
        workflowId: handle.workflowId,
      })
      if (noWorker) {
        await handle.terminate('no worker took it up')
        throw noWorker
      }
      return handle.result() as Promise<ReaperReport>
    })
  }

  /**
   * The content of a blob that an answer names, such as a bundle of a failed job's checkpoint.
   *
   * @throws `BlobMissing`, `BlobStoreUnavailable`, `PayloadKeyMissing`
   */
  blob(name: string): Promise<Readable> {
    return typed(async () => (await this.#openBlobs()).get(name))
  }

  async close(): Promise<void> {
    await this.#connection.close()
    await this.#tracing?.flush()
  }
}
