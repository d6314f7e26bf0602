import { ActivityFailure, patched } from '@temporalio/workflow'
import type { FailureReport } from '../../contract/failures.ts'
import type { CommandResult } from '../../contract/job.ts'
import type { AgentJobSpec, CommandStep } from '../../contract/spec.ts'
import type { AgentState } from '../../activities/lib/agent-state.ts'
import type { SandboxEgress } from '../../activities/lib/egress-headers.ts'
import type { SandboxTarget as Target } from '../../activities/lib/target.ts'
import { perform } from './activities.ts'
import { jobFailure, toReport } from './failures.ts'
import type { Journal } from './journal.ts'
import type { SandboxLease } from './lease.ts'
import { beganNothing, lossOf } from './losses.ts'
import { Outage } from './outage.ts'
import { type Command, runIn, Setup } from './setup.ts'
import { worthPausing } from './pause-policy.ts'
import { cloneWork, egressOf, newWork, noteWritten, restoreWork, saveWork, type Work } from './work.ts'

/** For the next run of the workflow. */
export type SavedWorkspace = Work & { setup: Command[] }

interface ChangeOptions<T> {
  rerun?: CommandStep['rerun']
  /** Whether the result says that there is nothing to save. */
  isSaved?: (result: T) => boolean
  /** Where agents keep what they remember, to be saved too. */
  agents?: string[]
}

/** Sandboxes lost one after the other, with nothing achieved between them, before the job gives up. */
const MAX_LOSSES = 5

/**
 * The job's repository in its sandbox. It outlives the sandbox: after each change the work is saved outside, and where a sandbox is
 * lost, the work is restored in another one and what was interrupted is done again.
 */
export class Workspace {
  readonly #journal: Journal
  readonly #lease: SandboxLease
  readonly #setup: Setup
  readonly #work: Work
  #spec!: AgentJobSpec
  /** Whether the sandbox has the work: a resumed one isn't known yet to be what it was, a new one doesn't have it yet. */
  #sandbox: 'sound' | 'resumed' | 'new' = 'sound'
  /** When what goes on was first asked for in this sandbox, where it is asked for again. */
  #askedAt: number | undefined
  /** The same of what restores the work in a new sandbox. */
  #restoringSince: number | undefined
  /** Pieces of work so far: each is named, so that it is attached to where it is asked for again. */
  #pieces = 0

  constructor(
    journal: Journal,
    lease: SandboxLease,
    earlier?: { saved: SavedWorkspace; spec: AgentJobSpec },
  ) {
    this.#journal = journal
    this.#lease = lease
    const { setup, ...work } = earlier?.saved ?? { setup: [], ...newWork() }
    this.#setup = new Setup(setup)
    this.#work = work
    if (earlier) this.#spec = earlier.spec
  }

  /** While nothing is under way in the sandbox. */
  get saved(): SavedWorkspace {
    return { ...this.#work, setup: this.#setup.saved }
  }

  get baseCommit(): string {
    return this.#work.baseCommit
  }

  /** Bundles in the blob store, in order. */
  get bundles(): string[] {
    return this.#work.checkpoint?.bundles.map(({ key }) => key) ?? []
  }

  get egress(): SandboxEgress {
    return egressOf(this.#spec)
  }

  async create(spec: AgentJobSpec): Promise<void> {
    this.#spec = spec
    await this.#surviving(() => this.#lease.create(spec.sandbox))
  }

  async clone(): Promise<void> {
    await this.#surviving(() => this.#clone())
  }

  /** Does what leaves the work as it is. May be done again in another sandbox. */
  read<T>(work: (target: Target) => Promise<T>): Promise<T> {
    const key = `piece-${this.#pieces++}`
    return this.#surviving(() => work({ ...this.#target, key }))
  }

  /** The work as it was last saved: HEAD, tree, index and refs; empty where it never was. */
  get savedAs(): string {
    const { head = '', tree = '', staged = '', refs = '' } = this.#work.checkpoint ?? {}
    return `${head} ${tree} ${staged} ${refs}`.trim()
  }

  /** What agents remember, as it was last saved. */
  get agents(): AgentState | undefined {
    return this.#work.checkpoint?.agents
  }

  /** Does what changes the work, then saves it: after this it isn't lost any more. */
  change<T>(
    what: string,
    work: (target: Target) => Promise<T>,
    { rerun, isSaved, agents }: ChangeOptions<T> = {},
  ): Promise<T> {
    const key = `piece-${this.#pieces++}`
    return this.#surviving(
      async (begun) => {
        const result = await work({ ...this.#target, key })
        begun()
        if (!isSaved?.(result)) await this.#save(`checkpoint after ${what}`, agents)
        this.#work.losses = 0
        return result
      },
      rerun === 'never' && what,
    )
  }

  /** A command of the spec. One that ended stays ended, and one that goes on is attached to, in the same sandbox. */
  async run(
    { rerun }: Pick<CommandStep, 'rerun'>,
    name: string,
    unnamed: Omit<Command, 'key'>,
  ): Promise<CommandResult> {
    const command = { ...unnamed, key: this.nextKey() }
    const result = await this.change(name, (target) => runIn(target, command), { rerun })
    if (rerun === 'always' && result.exitCode === 0) this.#setup.add(command)
    return result
  }

  /** Names a durable command of the job. */
  nextKey(): string {
    return `command-${this.#work.keys++}`
  }

  /** Saves the work, and pauses the sandbox, if there is one, across the wait where that pays. The next use resumes it. */
  async pauseAcross<T>(why: string, expectedMs: number, wait: () => Promise<T>): Promise<T> {
    if (this.#lease.state === 'running' && this.#pausePays(expectedMs))
      await this.#surviving(async () => {
        await this.#save(`checkpoint before the pause: ${why}`)
        await this.#lease.pause(why)
      })
    return wait()
  }

  /** Saves the work of what was cut off; where that can't be, what was saved last is what there is. */
  async saveUnfinished(): Promise<void> {
    if (this.#lease.state !== 'running' || this.#sandbox !== 'sound') return
    try {
      await this.#save('checkpoint at the limit')
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error
    }
  }

  /** The end: what was saved goes. */
  async discard(): Promise<void> {
    if (!this.#work.checkpoint) return
    const { firstRunId } = this.#journal
    await perform('deleteCheckpoints', 'delete the checkpoints', { firstRunId })
  }

  async #clone(): Promise<void> {
    const cloned = await cloneWork(this.#target, this.#spec, this.#work)
    this.#work.baseCommit = cloned.baseCommit
    noteWritten(this.#work, this.#work.nextSentinel)
  }

  async #save(summary: string, agents?: string[]): Promise<void> {
    const { firstRunId } = this.#journal
    const saved = await saveWork(this.#target, this.#work, summary, { agents, firstRunId })
    const { bytes, ...checkpoint } = saved
    this.#work.checkpoint = checkpoint
    noteWritten(this.#work, checkpoint.sentinel)
    if (bytes > 0) this.#journal.record({ type: 'checkpointed', head: checkpoint.head, bytes })
  }

  /**
   * @param work calls `begun` before a part of it whose failure says nothing of the whole
   * @param once what must not be done again where it may have begun
   */
  async #surviving<T>(work: (begun: () => void) => Promise<T>, once: string | false = false): Promise<T> {
    const outage = new Outage(this.#journal)
    let mayHaveBegun = false
    let lost = false
    let asked: number | undefined
    for (;;) {
      const before = asked
      let begun = false
      try {
        if (outage.failure) await this.#sitOut(outage, outage.failure)
        if (lost) await this.#replace()
        this.#askedAt = this.#restoringSince
        lost = false
        if (this.#lease.paused) await this.#wake()
        if (this.#sandbox === 'resumed') await this.#verify()
        if (this.#sandbox === 'new') await this.#restore()
        this.#askedAt = asked
        asked ??= Date.now()
        const result = await work(() => (begun = true))
        outage.over()
        return result
      } catch (error) {
        const loss = lossOf(error)
        if (
          this.#sandbox === 'resumed' &&
          loss !== 'lost' &&
          !patched('what could not be verified is verified later')
        )
          this.#sandbox = 'sound'
        if (loss === 'final') throw error
        if (!begun && beganNothing(error)) asked = before
        mayHaveBegun ||= asked !== undefined
        if (loss === 'outage') outage.note(error)
        else {
          this.#noteLoss(error)
          if (once && mayHaveBegun)
            throw jobFailure(
              'OutcomeUnknown',
              `the sandbox was lost while "${once}" ran, which must not run twice`,
            )
          lost = true
          asked = undefined
        }
      }
    }
  }

  /** A long outage of something else is a wait like any other. */
  async #sitOut(outage: Outage, { type }: FailureReport): Promise<void> {
    const idle = type === 'GitHostUnreachable' && !this.#lease.paused
    if (idle && this.#pausePays(outage.waitMs)) await this.#lease.pause(`until the next try: ${type}`)
    await outage.wait()
  }

  get #target(): Target {
    const sentinels = this.#work.sentinel ? [this.#work.sentinel, this.#work.nextSentinel] : []
    return { ...this.#lease.target, sentinels, askedAt: this.#askedAt }
  }

  #pausePays(expectedMs: number): boolean {
    return worthPausing(expectedMs, this.#lease.memoryMb, this.#spec.sandbox.pauseAfter)
  }

  async #wake(): Promise<void> {
    await this.#lease.resume()
    if (this.#work.checkpoint && this.#sandbox !== 'new') this.#sandbox = 'resumed'
  }

  /** Makes sure that a resumed sandbox is what it was. */
  async #verify(): Promise<void> {
    const expected = this.#work.checkpoint
    if (!expected) return
    // Another one for each resume: what was seen after an earlier one says nothing.
    const key = `verify-${this.#lease.use.resumes}`
    await perform('verifyResume', 'verify the resumed sandbox', { ...this.#target, expected, key })
    this.#sandbox = 'sound'
    this.#journal.record({ type: 'resumeVerified', head: expected.head })
  }

  #noteLoss(error: unknown): void {
    if (++this.#work.losses > MAX_LOSSES) throw error
    const { sandboxId } = this.#lease.use
    this.#journal.record({ type: 'sandboxLost', sandboxId, failure: toReport(error) })
  }

  async #replace(): Promise<void> {
    this.#sandbox = 'new'
    this.#restoringSince = undefined
    this.#work.sentinel = ''
    await this.#lease.replace()
  }

  /** Brings the work as it was last saved into a new sandbox. */
  async #restore(): Promise<void> {
    const begun = Date.now()
    this.#restoringSince ??= begun
    const { checkpoint } = this.#work
    const target = (): Target => this.#target
    if (checkpoint) await restoreWork(target, this.#spec, this.#work, { checkpoint, setup: this.#setup })
    else if (this.baseCommit) await this.#clone()
    this.#sandbox = 'sound'
    this.#restoringSince = undefined
    if (!checkpoint) return
    const { sandboxId } = this.#lease.target
    const { head } = checkpoint
    this.#journal.record({ type: 'sandboxRestored', sandboxId, head, ms: Date.now() - begun })
  }
}
