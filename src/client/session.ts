import { randomUUID } from 'node:crypto'
import type { Client } from '@temporalio/client'
import { type BatchApi, batched, batchProblem, type BatchedOperation } from '../contract/operations/batch.ts'
import { sandboxApi, type SandboxApi } from '../contract/operations/api.ts'
import { OPERATION_INPUTS, type OperationInput } from '../contract/operations/inputs.ts'
import type { OperationResults } from '../contract/operations/results.ts'
import type { SandboxOperationName } from '../contract/operations/table.ts'
import type { OutputChunk } from '../contract/output.ts'
import { describeProblems, parse } from '../contract/parse.ts'
import type { Held, Hold, SessionReference, SessionStatus } from '../contract/session.ts'
import {
  batchUpdate,
  closeUpdate,
  forkUpdate,
  holdUpdate,
  operationUpdate,
  pauseUpdate,
  resumeUpdate,
  sessionQuery,
} from '../contract/session-messages.ts'
import { HoldfastError, typed } from './errors.ts'
import type { FollowOutput, Outputs } from './outputs.ts'
import { ask, request } from './requests.ts'

export interface RequestOptions {
  /** Names the request: sent again under the same id, even by another process, it is done once. Made up if left out. */
  requestId?: string
}

/** Where what is printed goes while it runs, about once a second, from the workers' blob store. What that can't give is left out. */
export interface LiveOptions extends RequestOptions {
  onStdout?: (text: string) => void
  onStderr?: (text: string) => void
}

export type RunOptions = LiveOptions & Omit<OperationInput<'commands.run'>, 'cmd' | 'live'>
export type RunCodeOptions = LiveOptions & Omit<OperationInput<'code.run'>, 'code' | 'live'>

/**
 * A sandbox that many use, behind its `sandboxSession` workflow. Its methods have the names of E2B's SDK, and outlive the death of
 * workers and of Temporal's connection: a request is sent again under one id, and done once. Where no worker takes it up for a minute
 * it ends as `NoWorker`; one that comes may still do it. Every method throws HoldfastError.
 */
export class Session implements SandboxApi {
  readonly id: string
  readonly commands: Omit<SandboxApi['commands'], 'run'> & Pick<Session, 'run'>
  readonly files: SandboxApi['files']
  readonly git: SandboxApi['git']
  readonly code: Omit<SandboxApi['code'], 'run'> & { run: Session['runCode'] }
  readonly network: SandboxApi['network']
  readonly getInfo: SandboxApi['getInfo']
  readonly getMetrics: SandboxApi['getMetrics']
  readonly #client: Client
  readonly #outputs: Outputs

  constructor(client: Client, outputs: Outputs, id: string) {
    this.#client = client
    this.#outputs = outputs
    this.id = id
    const api = sandboxApi((name, input) => this.perform(name, input))
    this.commands = { ...api.commands, run: (cmd, options) => this.run(cmd, options) }
    this.files = api.files
    this.git = api.git
    this.code = { ...api.code, run: (code, options) => this.runCode(code, options) }
    this.network = api.network
    this.getInfo = api.getInfo
    this.getMetrics = api.getMetrics
  }

  /** For another workflow or program to attach by: it uses the session, and doesn't own it. */
  get reference(): SessionReference {
    return { version: 1, id: this.id }
  }

  /** The sandbox, and who uses it; Temporal query `session`. @throws `SessionNotFound` */
  status(): Promise<SessionStatus> {
    return ask(() => this.#typed(() => this.#handle.query(sessionQuery)))
  }

  /**
   * Any operation by its name; Temporal update of that name.
   *
   * @throws `InvalidSpec` naming each wrong field, before anything is sent; what the operation throws
   */
  perform<N extends SandboxOperationName>(
    name: N,
    input: OperationInput<N>,
    options: RequestOptions = {},
  ): Promise<OperationResults[N]> {
    const parsed = parse(OPERATION_INPUTS[name], input)
    if (!parsed.ok)
      return Promise.reject(
        new HoldfastError('InvalidSpec', describeProblems(parsed.problems), { problems: parsed.problems }),
      )
    return this.#request(options, (updateId) =>
      this.#handle.executeUpdate(operationUpdate(name), { args: [input], updateId }),
    )
  }

  /**
   * Several operations in one round trip, in order: `batch((s) => Promise.all([s.files.write('a', 'x'), s.files.list('.')]))`.
   * All are asked for at once, so none can use another's result. The first that fails is the last that is done: it and those behind
   * it reject. A worker that dies meanwhile leaves each of them done once, as if it had been asked for by itself.
   *
   * @param ask commands, files, git and network, but for `commands.wait`; at most 50
   */
  batch<T>(ask: (sandbox: BatchApi) => Promise<T>, options: RequestOptions = {}): Promise<T> {
    return batched(
      ask,
      (operations) => {
        checkBatch(operations)
        return this.#request(options, (updateId) =>
          this.#handle.executeUpdate(batchUpdate, { args: [{ operations }], updateId }),
        )
      },
      (type, message, report) => new HoldfastError(type, message, report ? { report } : {}),
    )
  }

  /** `commands.run`; live with `onStdout` or `onStderr`. @throws `BlobStoreUnavailable`, before anything runs */
  run(cmd: string, options: RunOptions = {}): Promise<OperationResults['commands.run']> {
    return this.#performLive('commands.run', { cmd, ...options })
  }

  /** `code.run`, under the SDK's name; live in the same way. */
  runCode(code: string, options: RunCodeOptions = {}): Promise<OperationResults['code.run']> {
    return this.#performLive('code.run', { code, ...options })
  }

  async #performLive<N extends 'commands.run' | 'code.run'>(
    name: N,
    { onStdout, onStderr, requestId = randomUUID(), ...input }: OperationInput<N> & LiveOptions,
  ): Promise<OperationResults[N]> {
    const wanted = input as unknown as OperationInput<N>
    if (!onStdout && !onStderr) return this.perform(name, wanted, { requestId })
    const on = { stdout: onStdout, stderr: onStderr }
    const end = new AbortController()
    const output = this.#outputs.follow(this.id, requestId, end.signal)
    const showing = (async () => {
      for await (const { stream, text } of output) on[stream]?.(text)
    })()
    try {
      return await this.perform(name, { ...wanted, live: true }, { requestId })
    } finally {
      end.abort()
      await showing.catch(() => undefined) // the result has head and tail of what could not be shown
    }
  }

  /**
   * What a started command prints, for as long as somebody waits for it with `live`: from the workers' blob store.
   *
   * @param end tells that the command has ended
   * @throws `BlobStoreUnavailable`, at once where this program doesn't know where it is
   */
  commandOutput(
    commandId: string,
    end: AbortSignal,
    options: FollowOutput = {},
  ): AsyncGenerator<OutputChunk, void> {
    return this.#outputs.follow(this.id, commandId, end, options)
  }

  /** Pauses the sandbox when what runs has ended; the next use resumes it. Temporal update `pause`. */
  pause(options: RequestOptions = {}): Promise<void> {
    return this.#request(options, (updateId) => this.#handle.executeUpdate(pauseUpdate, { updateId }))
  }

  /** Temporal update `resume`. */
  resume(options: RequestOptions = {}): Promise<void> {
    return this.#request(options, (updateId) => this.#handle.executeUpdate(resumeUpdate, { updateId }))
  }

  /**
   * Keeps the sandbox from being paused as idle, for whoever uses it directly by the SDK: a lease, which runs out. Temporal update `hold`.
   *
   * @throws `SandboxInvalidArgument` where `ms` is more than 10 minutes
   */
  hold(hold: Hold, options: RequestOptions = {}): Promise<Held> {
    return this.#request(options, (updateId) =>
      this.#handle.executeUpdate(holdUpdate, { args: [hold], updateId }),
    )
  }

  /** E2B's `createSnapshot`. @param name of which the newest counts: an earlier snapshot loses it */
  snapshot(name: string): Promise<OperationResults['sandbox.createSnapshot']> {
    return this.perform('sandbox.createSnapshot', { name })
  }

  /** Another session, with a copy of the sandbox as it is now; Temporal update `fork`. @throws `SpecConflict` where the id is in use */
  async fork(id: string, options: RequestOptions = {}): Promise<Session> {
    await this.#request(options, (updateId) =>
      this.#handle.executeUpdate(forkUpdate, { args: [{ id }], updateId }),
    )
    return new Session(this.#client, this.#outputs, id)
  }

  /** Ends what runs, and the sandbox, and waits for that; Temporal update `close`. */
  async close(): Promise<void> {
    try {
      await this.#request({}, (updateId) => this.#handle.executeUpdate(closeUpdate, { updateId }))
    } catch (error) {
      if (!(error instanceof HoldfastError && ['SandboxClosed', 'SessionNotFound'].includes(error.type)))
        throw error
    }
    await this.#typed(() => this.#handle.result())
  }

  get #handle() {
    return this.#client.workflow.getHandle(this.id)
  }

  /** Sent again while Temporal can't be reached or the session begins its next run: S3 of the workflow makes that safe. */
  #request<T>({ requestId }: RequestOptions, send: (updateId: string) => Promise<T>): Promise<T> {
    return request((updateId) => this.#typed(() => send(updateId)), {
      requestId,
      again: ['SessionTurning', 'ServerUnreachable'],
    })
  }

  #typed<T>(call: () => Promise<T>): Promise<T> {
    return typed(call, this.id, 'session')
  }
}

/** @throws `SandboxInvalidArgument`, `InvalidSpec` */
function checkBatch(operations: BatchedOperation[]): void {
  const problem = batchProblem(operations)
  if (problem) throw new HoldfastError('SandboxInvalidArgument', problem)
  for (const [index, { name, input }] of operations.entries()) {
    const parsed = parse(OPERATION_INPUTS[name], input)
    if (parsed.ok) continue
    const problems = parsed.problems.map(({ field, problem }) => ({
      field: `operations[${index}].${field}`,
      problem,
    }))
    throw new HoldfastError('InvalidSpec', describeProblems(problems), { problems })
  }
}
