import { condition, setHandler } from '@temporalio/workflow'
import type { ToolCall } from '../../contract/llm.ts'
import { allowToolUpdate, denyToolUpdate } from '../../contract/messages.ts'
import { jobFailure } from './failures.ts'
import type { TakenUpdates } from './taken-updates.ts'

/** A person's word on a call of a tool. */
export interface ToolAnswer {
  allowed: boolean
  by: string
  reason?: string
}

/** Where a person allows a call of a tool, or doesn't: the very call that is asked about, by its hash, and nothing else. */
export class ToolDesk {
  #pending: string | undefined
  #answer: ToolAnswer | undefined
  readonly #taken: TakenUpdates

  constructor(taken: TakenUpdates) {
    this.#taken = taken
    const validator = (input: unknown): void => this.#check(input)
    setHandler(allowToolUpdate, ({ by }) => this.#take({ allowed: true, by }), {
      description: 'Allow the call of a tool that the job waits for: {"by": "your name", "call": "its hash"}',
      validator,
    })
    setHandler(
      denyToolUpdate,
      ({ by, reason }) => this.#take({ allowed: false, by, ...(reason && { reason }) }),
      {
        description:
          'Refuse it, and tell the model why: {"by": "your name", "call": "its hash", "reason": "optional"}',
        validator,
      },
    )
  }

  /** Waits, durably; no answer in time is a no. */
  async wait({ hash }: ToolCall, timeoutMs: number): Promise<ToolAnswer> {
    this.#answer = undefined
    this.#pending = hash
    try {
      await condition(() => this.#answer !== undefined, timeoutMs)
    } finally {
      // Also where the job is cancelled.
      this.#pending = undefined
    }
    return this.#answer ?? { allowed: false, by: 'timeout', reason: 'nobody answered in time' }
  }

  #take(answer: ToolAnswer): void {
    if (this.#taken.isAgain) return
    this.#taken.add()
    this.#answer = answer
    this.#pending = undefined
  }

  #check(input: unknown): void {
    if (this.#taken.isAgain) return
    const { by, call } = (input ?? {}) as { by?: unknown; call?: unknown }
    if (typeof by !== 'string' || by.trim() === '')
      throw jobFailure(
        'InvalidSpec',
        'by: is missing; say who answers, as in {"by": "your name", "call": "…"}',
      )
    if (this.#pending === undefined || call !== this.#pending)
      throw jobFailure(
        'NotWaitingForTool',
        this.#pending === undefined
          ? 'the job waits for no call of a tool to be allowed'
          : `call: "${String(call).slice(0, 100)}" is not what the job waits for, which is "${this.#pending}"`,
      )
  }
}
