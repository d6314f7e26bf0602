import { uuid4 } from '@temporalio/workflow'
import { type SandboxTime, withTime } from '../../contract/cost.ts'
import type { JobEventBody, SandboxUse } from '../../contract/job.ts'
import type { SandboxWish } from '../../contract/sandboxes.ts'
import type { LeaseState } from '../../contract/session.ts'
import type { SandboxTarget } from '../../activities/lib/target.ts'
import { perform } from './activities.ts'
import { logSandbox } from './log-attributes.ts'

const NONE: LeaseState = {
  allocationId: '',
  sandboxes: 0,
  sandboxId: null,
  cpuCount: 0,
  memoryMb: 0,
  state: 'none',
  since: 0,
  sizes: [],
  pauses: 0,
  resumes: 0,
}

/** A workflow's one sandbox, from the wish for it to its end, and the account of its time. */
export class SandboxLease {
  readonly #record: (event: JobEventBody) => void
  readonly #now: LeaseState
  /** What was wished for; undefined before the wish. */
  #wish: SandboxWish | undefined

  /** @param earlier where an earlier run of the workflow held the sandbox, and what was wished for then */
  constructor(record: (event: JobEventBody) => void, earlier?: { state: LeaseState; wish: SandboxWish }) {
    this.#record = record
    this.#now = { ...(earlier?.state ?? NONE) }
    this.#wish = earlier?.wish
    if (this.#now.sandboxId) logSandbox(this.#now.sandboxId)
  }

  /** For the next run of the workflow. */
  get saved(): LeaseState {
    return { ...this.#now }
  }

  /** What every activity in the sandbox is told. */
  get target(): Omit<SandboxTarget, 'sentinels'> {
    const { sandboxId, sandboxes } = this.#now
    if (!sandboxId || !this.#wish) throw new Error('the sandbox was used before it was created')
    return { sandboxId, sandboxNumber: sandboxes, sandboxTimeoutMs: this.#wish.timeout }
  }

  get memoryMb(): number {
    return this.#now.memoryMb
  }

  /** Of the newest sandbox; zeros before there was one. */
  get size(): { cpuCount: number; memoryMb: number } {
    const { cpuCount, memoryMb } = this.#now
    return { cpuCount, memoryMb }
  }

  get state(): SandboxUse['state'] {
    return this.#now.state
  }

  get paused(): boolean {
    return this.#now.state === 'paused'
  }

  get use(): SandboxUse {
    const { sandboxId, state, pauses, resumes, previewUrl } = this.#now
    const sizes = this.#sizes()
    const total = (key: 'runningMs' | 'pausedMs'): number => sizes.reduce((sum, size) => sum + size[key], 0)
    return {
      sandboxId,
      state,
      runningMs: total('runningMs'),
      pausedMs: total('pausedMs'),
      pauses,
      resumes,
      sizes,
      ...(previewUrl && { previewUrl }),
    }
  }

  /** Called again after an ambiguous failure, it finds what the earlier call may have made. */
  async create(wish: SandboxWish): Promise<void> {
    this.#wish = wish
    const begun = Date.now()
    const again = this.#now.allocationId !== ''
    this.#now.allocationId ||= uuid4()
    const input = { allocationId: this.#now.allocationId, again, sandbox: wish }
    const made = await perform('createSandbox', 'create the sandbox', input)
    const { sandboxId, cpuCount, memoryMb, owner, previewUrl } = made
    const sandboxes = this.#now.sandboxes + 1
    Object.assign(this.#now, {
      allocationId: '',
      sandboxId,
      cpuCount,
      memoryMb,
      owner,
      previewUrl,
      sandboxes,
    })
    logSandbox(sandboxId)
    this.#become('running')
    this.#record({ type: 'sandboxCreated', sandboxId, ms: Date.now() - begun })
  }

  /** Another sandbox in place of a lost one, of which nothing is left: it may be there still, but not as it was. */
  async replace(): Promise<void> {
    if (!this.#wish) throw new Error('the sandbox was replaced before it was created')
    const { sandboxId } = this.#now
    if (sandboxId) {
      await perform('killSandbox', 'kill what is left of the lost sandbox', { sandboxId })
      this.#become('killed')
      this.#now.sandboxId = null
    }
    await this.create(this.#wish)
  }

  async pause(why: string): Promise<void> {
    const { sandboxId } = this.target
    const begun = Date.now()
    await perform('pauseSandbox', `pause the sandbox: ${why}`, { sandboxId })
    this.#now.pauses++
    this.#become('paused')
    this.#record({ type: 'sandboxPaused', sandboxId, ms: Date.now() - begun })
  }

  async resume(): Promise<void> {
    const { sandboxId, sandboxTimeoutMs } = this.target
    const begun = Date.now()
    await perform('resumeSandbox', 'resume the sandbox', { sandboxId, timeoutMs: sandboxTimeoutMs })
    this.#now.resumes++
    this.#become('running')
    this.#record({ type: 'sandboxResumed', sandboxId, ms: Date.now() - begun })
  }

  /** Whether the wish says that the sandbox stays when its workflow has ended. */
  keeps(failed: boolean): boolean {
    const keep = this.#wish?.keep
    return keep === 'always' || (keep === 'on-failure' && failed)
  }

  /** The end: killed, or kept paused. Safe to call in any state. */
  async end(keep: boolean): Promise<'killed' | 'kept' | 'none'> {
    const { sandboxId, allocationId, state } = this.#now
    if (!sandboxId) {
      if (allocationId)
        await perform('killAllocation', 'kill what the create call may have left', { allocationId })
      return 'none'
    }
    if (keep) {
      if (state === 'running') await this.pause('kept')
      this.#record({ type: 'sandboxKept', sandboxId, ms: 0 })
      return 'kept'
    }
    const begun = Date.now()
    await perform('killSandbox', 'kill the sandbox', { sandboxId })
    this.#become('killed')
    this.#record({ type: 'sandboxKilled', sandboxId, ms: Date.now() - begun })
    return 'killed'
  }

  #become(state: SandboxUse['state']): void {
    Object.assign(this.#now, { sizes: this.#sizes(), state, since: Date.now() })
  }

  /** The account of time until now. */
  #sizes(): SandboxTime[] {
    const { state, since, sizes } = this.#now
    return state === 'running' || state === 'paused'
      ? withTime(sizes, this.size, state, Date.now() - since)
      : [...sizes]
  }
}
