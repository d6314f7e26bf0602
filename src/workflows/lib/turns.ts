import type { AgentStep } from '../../contract/agent-step.ts'
import type { LlmStep } from '../../contract/llm-step.ts'
import type { AgentJobSpec, Step } from '../../contract/spec.ts'
import { Agents } from './agents.ts'
import type { Journal } from './journal.ts'
import type { Ledger } from './ledger.ts'
import { Models } from './models.ts'
import type { Asked } from './prompt.ts'
import type { Feedback } from './steps.ts'
import type { Workspace } from './workspace.ts'

/** A step that is asked in words, and remembers what it was asked. */
export type AskedStep = AgentStep | LlmStep

export const isAsked = (step: Step): step is AskedStep => 'agent' in step || 'llm' in step

/** The turns of a job's agents and models. */
export class Turns {
  readonly #agents: Agents
  readonly #models: Models

  constructor(journal: Journal, workspace: Workspace, ledger: Ledger) {
    this.#agents = new Agents(journal, workspace, ledger)
    this.#models = new Models(journal, workspace, ledger)
  }

  take(spec: AgentJobSpec, step: AskedStep, ask: Asked): Promise<void> {
    return 'agent' in step ? this.#agents.turn(spec, step, ask) : this.#models.turn(spec, step, ask)
  }

  /** What a step is asked: to make changes, where it has worked before. */
  askOf(step: AskedStep, feedback: Feedback | undefined): Asked {
    const { prompt } = step
    const knows = 'agent' in step ? this.#agents.knows(step) : this.#models.knows(step)
    return feedback !== undefined && knows
      ? { kind: 'feedback', prompt, feedback: feedback.text, changes: feedback.changes }
      : { kind: 'first', prompt }
  }
}
