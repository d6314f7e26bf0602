import { patched } from '@temporalio/workflow'
import type { AgentTurnResult } from '../../activities/job/agents.ts'
import type { AgentStep } from '../../contract/agent-step.ts'
import type { AgentJobSpec, Step } from '../../contract/spec.ts'
import type { SandboxTarget } from '../../activities/lib/target.ts'
import { agentCli } from '../../contract/agents/index.ts'
import { type Usage, usedSince } from '../../contract/agents/report.ts'
import { priced } from '../../contract/cost.ts'
import { perform } from './activities.ts'
import { jobFailure } from './failures.ts'
import type { Journal } from './journal.ts'
import type { Ledger } from './ledger.ts'
import { type Memories, memoriesOf, remembered } from './memories.ts'
import { Outage } from './outage.ts'
import { type Ask, type Asked, promptFor, turnName } from './prompt.ts'
import type { TurnsOf } from './turns.ts'
import type { Workspace } from './workspace.ts'

/** Kept by the agent in the home of its sandbox, and saved with the work where it is known where. */
interface Conversation {
  id: string
  sandboxNumber: number
  /** What its last turn said of its use. */
  usage: Usage
}

export interface AgentsState {
  state: string[]
  conversations: Memories<Conversation | null>
}

/** The agents of a job, and what each of them remembers. */
export class Agents {
  readonly #journal: Journal
  readonly #workspace: Workspace
  readonly #ledger: Ledger
  /** Where the agents that had a turn keep what they remember. */
  readonly #state: Set<string>
  readonly #conversations: Map<AgentStep, Conversation | null>

  constructor({ journal, workspace, ledger }: TurnsOf, earlier?: { state: AgentsState; steps: Step[] }) {
    this.#journal = journal
    this.#workspace = workspace
    this.#ledger = ledger
    this.#state = new Set(earlier?.state.state)
    this.#conversations = remembered(earlier?.state.conversations ?? [], earlier?.steps ?? [])
  }

  saved(steps: Step[]): AgentsState {
    return { state: [...this.#state], conversations: memoriesOf(this.#conversations, steps) }
  }

  /** Whether it has had a turn. */
  knows(step: AgentStep): boolean {
    return this.#conversations.has(step)
  }

  /**
   * A turn; where its model's vendor is away, another one, to go on with what was asked.
   *
   * @throws `AgentFailed`, `AgentStuck`, `AgentNotInstalled`, `ModelUnavailable`
   */
  async turn(spec: AgentJobSpec, step: AgentStep, asked: Asked): Promise<void> {
    let outage = new Outage(this.#journal)
    for (let ask: Ask = asked; ; ask = { kind: 'goOn', asked }) {
      const { problem, report } = await this.#turn(spec, step, ask)
      if (!problem || report.usage.outputTokens > 0) {
        outage.over()
        outage = new Outage(this.#journal)
      }
      if (!problem) return
      const error = jobFailure(problem.type, problem.message, problem.output)
      if (problem.type !== 'ModelUnavailable' || !patched("an agent's vendor that is away is waited for"))
        throw error
      await outage.sitOut(error, this.#workspace)
    }
  }

  async #turn(spec: AgentJobSpec, step: AgentStep, ask: Ask): Promise<AgentTurnResult> {
    const name = turnName(step, ask)
    const key = this.#workspace.nextKey()
    const output = this.#journal.outputName
    const { prompt: _, ...how } = step
    let before: Conversation | null = null
    let sandboxNumber = 0
    for (const path of agentCli(step.agent).state) this.#state.add(path)
    const number = this.#journal.startStep(
      'agent',
      name,
      typeof step.agent === 'string' ? { agent: step.agent } : {},
    )
    const result = await this.#workspace.change(
      name,
      (target) => {
        before = this.#conversationIn(target, step, name)
        const conversation = before?.id ?? null
        sandboxNumber = target.sandboxNumber
        return perform(
          'runAgent',
          `agent: ${name}`,
          {
            ...target,
            key,
            output,
            step: how,
            prompt: promptFor(ask, spec, before !== null),
            conversation,
            egress: this.#workspace.egress,
          },
          // The runner ends it at its time; this is for a worker that doesn't answer any more.
          { startToCloseTimeout: step.timeout + 10 * 60_000 },
        )
      },
      this.#state.size > 0 ? { agents: [...this.#state] } : {},
    )
    const { exitCode, startedAt, finishedAt, report, problem } = result
    const { conversation: id } = report
    const usage = ofTurn(step, report.usage, before)
    this.#conversations.set(step, id === null ? null : { id, sandboxNumber, usage: report.usage })
    this.#ledger.note(priced(usage, step.prices))
    this.#journal.record({ type: 'agentTurn', step: number, resumed: before !== null, ...report, usage })
    const ended = problem ? exitCode || 1 : 0
    const { round } = this.#journal
    this.#journal.finishStep(
      { kind: 'agent', name, round, ms: finishedAt - startedAt, exitCode: ended },
      report.message.slice(-2_000),
    )
    return result
  }

  #conversationIn({ sandboxNumber }: SandboxTarget, step: AgentStep, name: string): Conversation | null {
    const conversation = this.#conversations.get(step)
    if (!conversation) return null
    if (conversation.sandboxNumber === sandboxNumber) return conversation
    const why = this.#whyLost(step)
    if (why === null) return conversation
    this.#conversations.set(step, null)
    this.#journal.record({ type: 'conversationLost', name, why })
    return null
  }

  /** @returns null where what it remembers was restored with the work */
  #whyLost({ agent }: AgentStep): string | null {
    const saved = this.#workspace.agents
    const { state } = agentCli(agent)
    if (state.length === 0) return 'where it is kept is not known'
    if (!saved) return 'it was not saved yet'
    if ('unsaved' in saved) return `it was not saved: ${saved.unsaved}`
    return state.some((path) => saved.paths.includes(path)) ? null : `nothing was at ${state.join(', ')}`
  }
}

/** Some agents say what their whole conversation has used. */
const ofTurn = ({ agent }: AgentStep, usage: Usage, before: Conversation | null): Usage =>
  before && agentCli(agent).countsConversation ? usedSince(usage, before.usage) : usage
