import { Mutex } from 'async-mutex'
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  condition,
  currentUpdateInfo,
  isCancellation,
  setCurrentDetails,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow'
import type { FailureReport } from '../../contract/failures.ts'
import type { SandboxWish } from '../../contract/sandboxes.ts'
import type { BatchedOperation, BatchResult } from '../../contract/operations/batch.ts'
import type { OperationInput } from '../../contract/operations/inputs.ts'
import type { OperationResults } from '../../contract/operations/results.ts'
import { batchLeavesRecord, isDoneOnce } from '../../contract/operations/records.ts'
import { SANDBOX_OPERATIONS, type SandboxOperationName } from '../../contract/operations/table.ts'
import type { SessionArgs, SessionRun, SessionStatus } from '../../contract/session.ts'
import { Answers } from './answers.ts'
import { jobFailure, toReport } from './failures.ts'
import { FinishedCommands } from './finished-commands.ts'
import { HandOver } from './hand-over.ts'
import { showInList } from './in-list.ts'
import { SandboxLease } from './lease.ts'
import { operate, operateBatch } from './operate.ts'
import { TakenUpdates } from './taken-updates.ts'

/**
 * One run of a session: a sandbox that many use.
 *
 * S1 The sandbox is never paused while an operation runs, and is paused when none has for the idle time and nobody holds it.
 * S2 What is accepted is finished in this run, or handed over: then its sender is told to ask again, and finds it under way in the next
 *    run. Meanwhile nothing more is accepted.
 * S3 An operation is named by its update's id within all runs of the session, so that one sent again is found done.
 */
export class Session {
  readonly #args: SessionArgs
  readonly #lease: SandboxLease
  readonly #run: SessionRun
  readonly #finished: FinishedCommands
  readonly answers: Answers
  readonly #batches: TakenUpdates
  readonly #work = new CancellationScope()
  /** Operations that are done in turn. */
  readonly #turn = new Mutex()
  /** Whoever pauses or resumes. */
  readonly #change = new Mutex()
  #phase: 'opening' | 'open' | 'lost' | 'closing' = 'opening'
  /** Why there is no sandbox. */
  #failed: FailureReport | undefined
  #turning = false
  #served = 0
  readonly #handOver = new HandOver()
  #inUse = 0
  #usedAt = Date.now()

  constructor(args: SessionArgs) {
    this.#args = args
    const { earlier } = args
    this.#lease = new SandboxLease(() => this.#show(), earlier && { state: earlier.lease, wish: this.#wish })
    this.#finished = new FinishedCommands(earlier?.finished)
    this.answers = new Answers(earlier?.answers)
    this.#batches = new TakenUpdates(earlier?.batches)
    this.#run = {
      ...earlier,
      lease: this.#lease.saved,
      scope: earlier?.scope ?? uuid4(),
      openedAt: earlier?.openedAt ?? Date.now(),
      operations: earlier?.operations ?? 0,
      runs: (earlier?.runs ?? 0) + 1,
      forks: [...(earlier?.forks ?? [])],
    }
    if (earlier) this.#phase = 'open'
  }

  get #wish(): SandboxWish {
    return { ...this.#args.spec.sandbox, keep: 'never' }
  }

  get status(): SessionStatus {
    const { operations, runs, openedAt } = this.#run
    const state = this.#phase === 'open' ? (this.#lease.paused ? 'paused' : 'running') : this.#phase
    return {
      id: workflowInfo().workflowId,
      state,
      sandbox: this.#lease.use,
      inUse: this.#inUse,
      operations,
      runs,
      openedAt,
      usedAt: this.#usedAt,
      idleTimeout: this.#args.spec.idleTimeout,
    }
  }

  /** Lives until the session is closed (then undefined), or this run has been long enough (then the next one's argument). */
  async live(): Promise<SessionArgs | undefined> {
    if (this.#phase === 'opening') await this.#open()
    while (!this.#over) {
      const { idleTimeout } = this.#args.spec
      const idleMs = Math.max(this.#usedAt + idleTimeout, this.#run.heldUntil ?? 0) - Date.now()
      if (this.#lease.paused || this.#phase === 'lost' || this.#inUse > 0)
        await condition(() => this.#over || this.#idle)
      else if (idleMs > 0)
        await condition(() => this.#over, idleMs, { summary: 'pause when nobody has used it' })
      else await this.#pauseIdle()
    }
    if (this.#phase === 'closing') return undefined
    await this.#handOver.end() // S2
    const [lease, finished] = [this.#lease.saved, this.#finished.saved]
    const [answers, batches] = [this.answers.saved, this.#batches.saved]
    return { ...this.#args, earlier: { ...this.#run, lease, finished, answers, batches } }
  }

  async #open(): Promise<void> {
    try {
      await this.#lease.create(this.#wish)
      this.#become('open')
    } catch (error) {
      if (isCancellation(error)) throw error
      this.#failed = toReport(error)
      this.#become('closing')
      await condition(() => this.#inUse === 0)
      throw jobFailure(this.#failed.type, this.#failed.message)
    }
  }

  /** A pause that fails is tried again after another idle time; meanwhile E2B pauses the sandbox itself. */
  async #pauseIdle(): Promise<void> {
    try {
      await this.#pauseUnlessUsed('idle')
    } catch (error) {
      if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error
      if (toReport(error).type === 'SandboxGone') this.#become('lost')
      this.#usedAt = Date.now()
    }
  }

  /** Ends what runs, and the sandbox. */
  async end(): Promise<void> {
    this.#become('closing')
    this.#work.cancel()
    await condition(() => this.#inUse === 0)
    await this.#lease.end(false)
  }

  /** Somebody uses the sandbox past this workflow for the next `ms`. */
  hold(ms: number): void {
    this.#run.heldUntil = Math.max(this.#run.heldUntil ?? 0, Date.now() + ms)
  }

  close(): void {
    this.#become('closing')
  }

  /** Whether something may be asked for now. @throws `SandboxClosed`, `SessionTurning` */
  admit(): void {
    if (this.#phase === 'closing') throw jobFailure('SandboxClosed', 'the session is closed')
    if (this.#turning) throw jobFailure('SessionTurning', 'the session goes on in a new run in a moment')
  }

  /** Performs an operation, in turn or beside others, in the resumed sandbox. */
  perform<N extends SandboxOperationName>(
    name: N,
    input: OperationInput<N>,
    key = currentUpdateInfo()?.id ?? uuid4(),
  ): Promise<OperationResults[N]> {
    const { concurrent } = input as { concurrent?: boolean }
    const work = () => this.#awake(() => this.#operate(name, key, input))
    const inTurn = SANDBOX_OPERATIONS[name].order === 'in turn' && !concurrent
    return this.#using(() => this.#handOver.until(inTurn ? this.#turn.runExclusive(work) : work()))
  }

  /** Performs operations one after the other, in turn. */
  batch(operations: BatchedOperation[]): Promise<BatchResult> {
    const key = currentUpdateInfo()?.id ?? uuid4()
    const again = this.#batches.isAgain
    this.#batches.add()
    const work = () =>
      this.#awake(async () => {
        const target = { ...this.#lease.target, sentinels: [] }
        const call = { target, key, scope: this.#run.scope, again, operations }
        const each = operations.map((one, index) => ({ ...one, key: `${key}/${index}` }))
        const ownRecord = batchLeavesRecord(operations.map(({ name }) => name))
        const asked = ownRecord ? [...each, { name: 'batch' as const, key, input: {} }] : each
        const done = await this.#finished.during(asked, (spare) => operateBatch({ ...call, ...spare }))
        if (done.failure?.type === 'SandboxGone') this.#become('lost')
        return done
      })
    return this.#using(() => this.#handOver.until(this.#turn.runExclusive(work)))
  }

  /** Pauses the sandbox when what runs has ended. */
  async pause(): Promise<void> {
    await this.#told(async () => {
      await this.#opened()
      do await condition(() => this.#inUse === 0)
      while (!(await this.#pauseUnlessUsed('asked for')))
    })
  }

  async resume(): Promise<void> {
    await this.#using(() => this.#awake(async () => undefined))
  }

  async #operate<N extends SandboxOperationName>(
    name: N,
    key: string,
    input: OperationInput<N>,
  ): Promise<OperationResults[N]> {
    const target = { ...this.#lease.target, sentinels: [] }
    const call = { target, key, scope: this.#run.scope, input } as unknown as Parameters<typeof operate<N>>[1]
    const asked = [{ name, key, input }]
    const { forks } = this.#run
    const work = () => this.#finished.during(asked, (spare) => operate(name, { ...call, ...spare }, forks))
    // A kernel interrupts what its client has left.
    if (name === 'code.run') return this.#handOver.bound(work)
    return await (isDoneOnce(name) ? this.#handOver.bound(() => this.answers.once(work, key)) : work())
  }

  /** Every kind of use counts, and arms the idle pause anew when it ends. */
  async #using<T>(work: () => Promise<T>): Promise<T> {
    this.#inUse++
    try {
      return await this.#told(work)
    } finally {
      this.#inUse--
      this.#usedAt = Date.now()
      this.#run.operations++
    }
  }

  /** What goes wrong is told as a failure of the closed list, which fails the update and not the workflow. */
  async #told<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.#work.run(work)
    } catch (error) {
      if (isCancellation(error)) throw closedMeanwhile()
      const report = toReport(error)
      if (report.type === 'SandboxGone') this.#become('lost')
      throw error instanceof ApplicationFailure
        ? error
        : jobFailure(report.type, report.message, report.output)
    } finally {
      this.#turning ||= ++this.#served >= this.#args.spec.turnAfter || workflowInfo().continueAsNewSuggested
    }
  }

  async #opened(): Promise<void> {
    await condition(() => this.#phase !== 'opening')
    if (this.#failed) throw jobFailure(this.#failed.type, this.#failed.message)
    if (this.#phase === 'closing') throw closedMeanwhile()
  }

  async #awake<T>(work: () => Promise<T>): Promise<T> {
    await this.#opened()
    await this.#change.runExclusive(async () => {
      if (this.#lease.paused) await this.#lease.resume()
    })
    return work()
  }

  /** S1: whoever comes while it is being paused waits, and resumes it. */
  #pauseUnlessUsed(why: string): Promise<boolean> {
    return this.#change.runExclusive(async () => {
      if (this.#inUse > 0) return false
      if (!this.#lease.paused) await this.#lease.pause(why)
      return true
    })
  }

  /** A session that closes does so whatever else becomes of it: whoever closed it was told. */
  #become(phase: 'open' | 'lost' | 'closing'): void {
    if (this.#phase !== 'closing') this.#phase = phase
  }

  get #idle(): boolean {
    return this.#inUse === 0 && !this.#lease.paused && this.#phase === 'open'
  }

  get #over(): boolean {
    return this.#turning || this.#phase === 'closing'
  }

  #show(): void {
    const { sandboxId, state } = this.#lease.use
    showInList({
      sandboxId: sandboxId ?? 'none',
      sandboxState: state,
      owner: this.#lease.saved.owner || 'none',
    })
    setCurrentDetails(`**${state}** sandbox \`${sandboxId}\``)
  }
}

const closedMeanwhile = () => jobFailure('SandboxClosed', 'the session was closed meanwhile')
