import { uuid4 } from '@temporalio/workflow'
import type { SandboxUse } from '../../contract/job.ts'
import type { AgentJobSpec } from '../../contract/spec.ts'
import { perform } from './activities.ts'
import type { Journal } from './journal.ts'

/** The job's one sandbox, from the wish for it to its end, and the account of its time. */
export class SandboxLease {
  readonly #journal: Journal
  readonly #allocationId = uuid4()
  /** What was wished for; undefined before the wish. */
  #spec: AgentJobSpec['sandbox'] | undefined
  #sandboxId: string | null = null
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

  async create(spec: AgentJobSpec['sandbox']): Promise<void> {
    this.#spec = spec
    const begun = Date.now()
    const input = { allocationId: this.#allocationId, sandbox: spec }
    const { sandboxId } = await perform('createSandbox', 'create the sandbox', input)
    this.#sandboxId = sandboxId
    this.#become('running')
    this.#journal.record({ type: 'sandboxCreated', sandboxId, ms: Date.now() - begun })
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

  /** The end: killed, or kept paused where the spec asks for it. Safe to call in any state. */
  async end(failed: boolean, hasWork: boolean): Promise<'killed' | 'kept' | 'none'> {
    if (!this.#spec) return 'none'
    if (!this.#sandboxId) {
      const input = { allocationId: this.#allocationId }
      await perform('killAllocation', 'kill what the create call may have left', input)
      return 'none'
    }
    const { sandboxId } = this.target
    const keep = hasWork && (this.#spec.keep === 'always' || (this.#spec.keep === 'on-failure' && failed))
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
