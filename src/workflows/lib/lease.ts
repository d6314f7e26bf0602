import { uuid4 } from '@temporalio/workflow'
import type { SandboxUse } from '../../contract/job.ts'
import type { AgentJobSpec } from '../../contract/spec.ts'
import { perform } from './activities.ts'
import type { Journal } from './journal.ts'

/** The job's one sandbox, from the wish for it to its end, and the account of its time. */
export class SandboxLease {
  readonly #journal: Journal
  #allocationId = ''
  /** What was wished for; undefined before the wish. */
  #spec: AgentJobSpec['sandbox'] | undefined
  #sandboxId: string | null = null
  #memoryMb = 0
  #state: SandboxUse['state'] = 'none'
  #since = 0
  #time = { running: 0, paused: 0 }
  #pauses = 0
  #resumes = 0

  constructor(journal: Journal) {
    this.#journal = journal
  }

  /** What every activity in the sandbox is told. */
  get target(): { sandboxId: string; sandboxTimeoutMs: number } {
    if (!this.#sandboxId || !this.#spec) throw new Error('the sandbox was used before it was created')
    return { sandboxId: this.#sandboxId, sandboxTimeoutMs: this.#spec.timeout }
  }

  get memoryMb(): number {
    return this.#memoryMb
  }

  get paused(): boolean {
    return this.#state === 'paused'
  }

  get use(): SandboxUse {
    const now = Date.now() - this.#since
    return {
      sandboxId: this.#sandboxId,
      state: this.#state,
      runningMs: this.#time.running + (this.#state === 'running' ? now : 0),
      pausedMs: this.#time.paused + (this.#state === 'paused' ? now : 0),
      pauses: this.#pauses,
      resumes: this.#resumes,
    }
  }

  /** Called again after an ambiguous failure, it finds what the earlier call may have made. */
  async create(spec: AgentJobSpec['sandbox']): Promise<void> {
    this.#spec = spec
    const begun = Date.now()
    const again = this.#allocationId !== ''
    this.#allocationId ||= uuid4()
    const input = { allocationId: this.#allocationId, again, sandbox: spec }
    const { sandboxId, memoryMb } = await perform('createSandbox', 'create the sandbox', input)
    this.#allocationId = ''
    this.#sandboxId = sandboxId
    this.#memoryMb = memoryMb
    this.#become('running')
    this.#journal.record({ type: 'sandboxCreated', sandboxId, ms: Date.now() - begun })
  }

  /** Another sandbox in place of a lost one, of which nothing is left: it may be there still, but not as it was. */
  async replace(): Promise<void> {
    if (!this.#spec) throw new Error('the sandbox was replaced before it was created')
    if (this.#sandboxId) {
      await perform('killSandbox', 'kill what is left of the lost sandbox', { sandboxId: this.#sandboxId })
      this.#become('killed')
      this.#sandboxId = null
    }
    await this.create(this.#spec)
  }

  async pause(why: string): Promise<void> {
    const { sandboxId } = this.target
    const begun = Date.now()
    await perform('pauseSandbox', `pause the sandbox: ${why}`, { sandboxId })
    this.#pauses++
    this.#become('paused')
    this.#journal.record({ type: 'sandboxPaused', sandboxId, ms: Date.now() - begun })
  }

  async resume(): Promise<void> {
    const { sandboxId, sandboxTimeoutMs } = this.target
    const begun = Date.now()
    await perform('resumeSandbox', 'resume the sandbox', { sandboxId, timeoutMs: sandboxTimeoutMs })
    this.#resumes++
    this.#become('running')
    this.#journal.record({ type: 'sandboxResumed', sandboxId, ms: Date.now() - begun })
  }

  /** Whether the spec asks for the sandbox to stay when the job has ended. */
  keeps(failed: boolean): boolean {
    const keep = this.#spec?.keep
    return keep === 'always' || (keep === 'on-failure' && failed)
  }

  /** The end: killed, or kept paused. Safe to call in any state. */
  async end(keep: boolean): Promise<'killed' | 'kept' | 'none'> {
    if (!this.#spec) return 'none'
    if (!this.#sandboxId) {
      if (!this.#allocationId) return 'none'
      const input = { allocationId: this.#allocationId }
      await perform('killAllocation', 'kill what the create call may have left', input)
      return 'none'
    }
    const { sandboxId } = this.target
    if (keep) {
      if (this.#state === 'running') await this.pause('kept')
      this.#journal.record({ type: 'sandboxKept', sandboxId, ms: 0 })
      return 'kept'
    }
    const begun = Date.now()
    await perform('killSandbox', 'kill the sandbox', { sandboxId })
    this.#become('killed')
    this.#journal.record({ type: 'sandboxKilled', sandboxId, ms: Date.now() - begun })
    return 'killed'
  }

  #become(state: SandboxUse['state']): void {
    const now = Date.now()
    if (this.#state === 'running' || this.#state === 'paused') this.#time[this.#state] += now - this.#since
    this.#state = state
    this.#since = now
  }
}
