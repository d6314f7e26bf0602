import { ContinueAsNew, patched, workflowInfo } from '@temporalio/workflow'
import type { CallModelInput } from '../../activities/job/models.ts'
import type { SandboxTarget } from '../../activities/lib/target.ts'
import type { ToolCall, ToolOutcome, Transcript } from '../../contract/llm.ts'
import type { LlmStep } from '../../contract/llm-step.ts'
import type { AgentJobSpec, Step } from '../../contract/spec.ts'
import { priced } from '../../contract/cost.ts'
import { perform } from './activities.ts'
import { jobFailure, toReport } from './failures.ts'
import type { Journal } from './journal.ts'
import type { Ledger } from './ledger.ts'
import { type LoopState, NEW_LOOP, partsToSumUp, take } from './llm-turn.ts'
import { lossOf } from './losses.ts'
import { type Memories, memoriesOf, remembered } from './memories.ts'
import type { NextRun } from './next-run.ts'
import { Outage } from './outage.ts'
import { type Ask, promptFor, turnName } from './prompt.ts'
import { ToolDesk } from './tool-desk.ts'
import type { TurnsOf } from './turns.ts'
import type { Workspace } from './workspace.ts'

/** What outlasts a turn, for the next one. */
interface Memory {
  transcript: Transcript
  loop: LoopState
  /** The turn that goes on. */
  turn?: OpenTurn
}

interface OpenTurn {
  /** Of its step. */
  number: number
  name: string
  since: number
  /** What all models had used before. */
  before: { inputTokens: number; outputTokens: number }
  /** Calls of the last answer that are yet to be made. */
  calls: ToolCall[]
  /** What the model is told then. */
  tell: Partial<CallModelInput>
}

export type ModelsState = Memories<Memory>

/** Tools that leave the work as it is: nothing is to be saved behind them. */
const READING: string[] = ['read', 'list', 'search', 'diff']

/** The models of a job, each in a loop of answers and tools. Every call of a model and of a tool is a durable activity. */
export class Models {
  readonly #journal: Journal
  readonly #workspace: Workspace
  readonly #ledger: Ledger
  readonly #nextRun: NextRun
  readonly #desk: ToolDesk
  readonly #memories: Map<LlmStep, Memory>

  constructor(
    { journal, workspace, ledger, nextRun, taken }: TurnsOf,
    earlier?: { state: ModelsState; steps: Step[] },
  ) {
    this.#journal = journal
    this.#workspace = workspace
    this.#ledger = ledger
    this.#nextRun = nextRun
    this.#desk = new ToolDesk(taken)
    this.#memories = remembered(earlier?.state ?? [], earlier?.steps ?? [])
  }

  saved(steps: Step[]): ModelsState {
    return memoriesOf(this.#memories, steps)
  }

  /** Whether it has had a turn. */
  knows(step: LlmStep): boolean {
    return this.#memories.has(step)
  }

  /** @throws `ModelStuck`, `ModelRefused`, `ModelFailed`, `ModelUnavailable` */
  async turn(spec: AgentJobSpec, step: LlmStep, ask: Ask): Promise<void> {
    const name = turnName(step, ask)
    const since = Date.now()
    const number = this.#journal.startStep('llm', name)
    const memory: Memory = this.#memories.get(step) ?? {
      transcript: { name: `${workflowInfo().runId}-${number}`, parts: 0 },
      loop: NEW_LOOP,
    }
    const tell = { prompt: promptFor(ask, spec, memory.transcript.parts > 0) }
    memory.turn = { number, name, since, before: this.#ledger.models, calls: [], tell }
    this.#memories.set(step, memory)
    await this.#finish(step, memory, memory.turn)
  }

  /** Goes on with the turn that an earlier run of the workflow began; false where it began none. */
  async goOn(step: LlmStep): Promise<boolean> {
    const memory = this.#memories.get(step)
    if (!memory?.turn) return false
    await this.#finish(step, memory, memory.turn)
    return true
  }

  async #finish(step: LlmStep, memory: Memory, turn: OpenTurn): Promise<void> {
    try {
      this.#ended(0, memory, turn, await this.#loop(step, memory, turn))
    } catch (error) {
      if (!(error instanceof ContinueAsNew)) this.#ended(1, memory, turn, toReport(error).message)
      throw error
    }
  }

  #ended(exitCode: number, memory: Memory, turn: OpenTurn, message: string): void {
    delete memory.turn
    const { number, name, since, before } = turn
    const { inputTokens, outputTokens } = this.#ledger.models
    const usage = {
      inputTokens: inputTokens - before.inputTokens,
      outputTokens: outputTokens - before.outputTokens,
    }
    this.#journal.record({ type: 'modelTurn', step: number, message, turns: memory.loop.turns, usage })
    const { round } = this.#journal
    this.#journal.finishStep(
      { kind: 'llm', name, round, ms: Date.now() - since, exitCode },
      message.slice(-2_000),
    )
  }

  /** Goes on until the model calls no more tools. @returns what it says then */
  async #loop(step: LlmStep, memory: Memory, turn: OpenTurn): Promise<string> {
    for (;;) {
      for (let call = turn.calls[0]; call; call = turn.calls[0]) {
        await this.#nextRun.ifDue()
        await this.#use(step, memory.transcript, call, turn.number)
        turn.calls.shift()
      }
      await this.#nextRun.ifDue()
      const { answer, next, state } = await this.#ask(step, memory, turn.tell)
      Object.assign(memory, { transcript: answer.transcript, loop: state })
      if (next.kind === 'done') return answer.text
      if (next.kind === 'failed') throw jobFailure(next.type, next.message)
      turn.calls = next.kind === 'tools' ? [...next.calls] : []
      turn.tell = { outcomes: turn.calls.map(({ id, tool }) => ({ id, tool })) }
    }
  }

  async #ask(step: LlmStep, { transcript, loop }: Memory, tell: Partial<CallModelInput>) {
    const { llm, system, tools, mcp, approve, callTimeout } = step
    const { compacted, summedUp } = loop
    // Told once: it is kept with the transcript.
    const setting = transcript.parts === 0 ? { step: { llm, system, tools, mcp, approve, callTimeout } } : {}
    const answer = await this.#sittingOut(() =>
      perform(
        'callModel',
        `ask ${llm.model}`,
        { transcript, ...setting, ...tell, compacted, ...(summedUp > 0 && { summedUp }) },
        { startToCloseTimeout: callTimeout + 60_000 },
      ),
    )
    this.#ledger.note(priced({ ...answer.usage, costUsd: 0 }, step.prices))
    const { state, next } = take(loop, answer, step)
    const goesOn = next.kind === 'tools' || next.kind === 'again'
    const parts = goesOn ? partsToSumUp(loop, state, answer, step) : 0
    if (parts === 0 || !patched('a transcript that stays too long is summed up'))
      return { answer, next, state }
    return { answer, next, state: await this.#sumUp(step, answer.transcript, state, parts) }
  }

  async #sumUp(step: LlmStep, transcript: Transcript, loop: LoopState, parts: number): Promise<LoopState> {
    const { llm, callTimeout, prices } = step
    const { usage } = await this.#sittingOut(() =>
      perform(
        'sumUp',
        `ask ${llm.model} to sum up what was said`,
        { transcript, parts, summedUp: loop.summedUp },
        { startToCloseTimeout: callTimeout + 60_000 },
      ),
    )
    this.#ledger.note(priced({ ...usage, costUsd: 0 }, prices))
    return { ...loop, summedUp: parts, tokens: loop.tokens + usage.inputTokens + usage.outputTokens }
  }

  /** A vendor that is away is waited for, with the sandbox paused. */
  async #sittingOut<T>(ask: () => Promise<T>): Promise<T> {
    const outage = new Outage(this.#journal)
    for (;;)
      try {
        const answer = await ask()
        outage.over()
        return answer
      } catch (error) {
        if (lossOf(error) !== 'outage' || !patched('a vendor that is away is waited for')) throw error
        await outage.sitOut(error, this.#workspace)
      }
  }

  async #use(step: LlmStep, transcript: Transcript, call: ToolCall, number: number): Promise<void> {
    const { summary } = call
    this.#journal.current = summary
    const refused = call.mustBeAllowed ? await this.#askWhether(call, step.approvalTimeout) : undefined
    if (refused !== undefined) {
      await perform('refuseTool', `refused: ${summary}`, { transcript, call, why: refused })
      return
    }
    if (call.remote) {
      const { ok } = await perform(
        'useRemoteTool',
        summary,
        { transcript, call, timeoutMs: step.toolTimeout },
        { startToCloseTimeout: step.toolTimeout + 60_000 },
      )
      this.#journal.record({ type: 'toolUsed', step: number, ok, summary })
      return
    }
    const key = this.#workspace.nextKey()
    const reads = READING.includes(call.tool)
    const use = (target: SandboxTarget): Promise<ToolOutcome> =>
      perform(
        'useTool',
        summary,
        {
          ...target,
          key,
          transcript,
          call: { id: call.id, tool: call.tool, summary },
          baseCommit: this.#workspace.baseCommit,
          ...(reads ? {} : { saved: this.#workspace.savedAs }),
          timeoutMs: step.toolTimeout,
        },
        { startToCloseTimeout: step.toolTimeout + 10 * 60_000 },
      )
    const { ok, summary: came } = reads
      ? await this.#workspace.read(use)
      : await this.#workspace.change(summary, use, { isSaved: ({ unchanged }) => unchanged })
    this.#journal.record({ type: 'toolUsed', step: number, ok, summary: came })
  }

  /** Asks a person, with the sandbox paused. @returns undefined where the call is allowed, else what the model is told */
  async #askWhether(call: ToolCall, timeoutMs: number): Promise<string | undefined> {
    const { summary, hash, asked } = call
    const since = Date.now()
    const answerWith = `holdfast allow ${workflowInfo().workflowId} ${hash}`
    const wait = {
      kind: 'tool',
      call: hash,
      summary,
      ...(asked !== undefined && { asked }),
      since,
      until: since + timeoutMs,
      answerWith,
    } as const
    const answer = await this.#workspace.pauseAcross(`until "${summary}" is allowed`, Infinity, () => {
      this.#journal.waitingFor = wait
      this.#journal.record({ type: 'waitBegan', for: `"${summary}" to be allowed`, until: wait.until })
      this.#journal.standStill()
      return this.#desk.wait(call, timeoutMs)
    })
    this.#journal.waitingFor = null
    this.#journal.record({ type: 'toolAnswered', summary, allowed: answer.allowed, by: answer.by })
    if (answer.allowed) return undefined
    return `A person (${answer.by}) did not allow this call${answer.reason ? `: ${answer.reason}` : ''}. It was not done.`
  }
}
