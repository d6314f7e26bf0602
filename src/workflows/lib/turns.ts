import type { AgentStep } from '../../contract/agent-step.ts'
import type { LlmStep } from '../../contract/llm-step.ts'
import type { AgentJobSpec, Step } from '../../contract/spec.ts'
import { Agents, type AgentsState } from './agents.ts'
import type { Journal } from './journal.ts'
import type { Ledger } from './ledger.ts'
import { Models, type ModelsState } from './models.ts'
import type { NextRun } from './next-run.ts'
import type { Asked } from './prompt.ts'
import type { Feedback } from './steps.ts'
import type { TakenUpdates } from './taken-updates.ts'
import type { Workspace } from './workspace.ts'

/** A step that is asked in words, and remembers what it was asked. */
export type AskedStep = AgentStep | LlmStep

export const isAsked = (step: Step): step is AskedStep => 'agent' in step || 'llm' in step

/** What agents and models work with. */
export interface TurnsOf {
  journal: Journal
  workspace: Workspace
  ledger: Ledger
  nextRun: NextRun
  taken: TakenUpdates
}

/** For the next run of the workflow: what each remembers, by the place of its step among those that may be asked again. */
export interface TurnsState {
  agents: AgentsState
  models: ModelsState
}

/** The turns of a job's agents and models. */
export class Turns {
  readonly #agents: Agents
  readonly #models: Models

  constructor(parts: TurnsOf, earlier?: { state: TurnsState; steps: Step[] }) {
    this.#agents = new Agents(parts, earlier && { state: earlier.state.agents, steps: earlier.steps })
    this.#models = new Models(parts, earlier && { state: earlier.state.models, steps: earlier.steps })
  }

  saved(steps: Step[]): TurnsState {
    return { agents: this.#agents.saved(steps), models: this.#models.saved(steps) }
  }

  take(spec: AgentJobSpec, step: AskedStep, ask: Asked): Promise<void> {
    return 'agent' in step ? this.#agents.turn(spec, step, ask) : this.#models.turn(spec, step, ask)
  }

  /** Goes on with the turn that an earlier run of the workflow began; false where it began none. */
  async goOn(step: AskedStep): Promise<boolean> {
    return 'llm' in step && this.#models.goOn(step)
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
