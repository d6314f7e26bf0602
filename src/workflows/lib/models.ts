import { patched, workflowInfo } from '@temporalio/workflow'
import type { CallModelInput } from '../../activities/job/models.ts'
import type { SandboxTarget } from '../../activities/lib/target.ts'
import type { ToolCall, ToolOutcome, Transcript } from '../../contract/llm.ts'
import type { LlmStep } from '../../contract/llm-step.ts'
import type { AgentJobSpec } from '../../contract/spec.ts'
import { perform } from './activities.ts'
import { jobFailure, toReport } from './failures.ts'
import type { Journal } from './journal.ts'
import { type Ledger, priced } from './ledger.ts'
import { type LoopState, NEW_LOOP, partsToSumUp, take } from './llm-turn.ts'
import { lossOf } from './losses.ts'
import { Outage } from './outage.ts'
import { type Ask, promptFor, turnName } from './prompt.ts'
import { ToolDesk } from './tool-desk.ts'
import type { Workspace } from './workspace.ts'

/** What outlasts a turn, for the next one. */
interface Memory {
  transcript: Transcript
  loop: LoopState
}

/** Tools that leave the work as it is: nothing is to be saved behind them. */
const READING: string[] = ['read', 'list', 'search', 'diff']

/** The models of a job, each in a loop of answers and tools. Every call of a model and of a tool is a durable activity. */
export class Models {
  readonly #journal: Journal
  readonly #workspace: Workspace
  readonly #ledger: Ledger
  readonly #desk = new ToolDesk()
  readonly #memories = new Map<LlmStep, Memory>()

  constructor(journal: Journal, workspace: Workspace, ledger: Ledger) {
    this.#journal = journal
    this.#workspace = workspace
    this.#ledger = ledger
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
    const before = this.#ledger.models
    const ended = (exitCode: number, message: string): void => {
      const { inputTokens, outputTokens } = this.#ledger.models
      const usage = {
        inputTokens: inputTokens - before.inputTokens,
        outputTokens: outputTokens - before.outputTokens,
      }
      const turns = this.#memories.get(step)?.loop.turns ?? 0
      this.#journal.record({ type: 'modelTurn', step: number, message, turns, usage })
      const { round } = this.#journal
      this.#journal.finishStep(
        { kind: 'llm', name, round, ms: Date.now() - since, exitCode },
        message.slice(-2_000),
      )
    }
    try {
      ended(0, await this.#loop(spec, step, ask, number))
    } catch (error) {
      ended(1, toReport(error).message)
      throw error
    }
  }

  /** Goes on until the model calls no more tools. @returns what it says then */
  async #loop(spec: AgentJobSpec, step: LlmStep, ask: Ask, number: number): Promise<string> {
    let { transcript, loop } = this.#memories.get(step) ?? {
      transcript: { name: `${workflowInfo().runId}-${number}`, parts: 0 },
      loop: NEW_LOOP,
    }
    let tell: Partial<CallModelInput> = { prompt: promptFor(ask, spec, transcript.parts > 0) }
    for (;;) {
      const { answer, next, state } = await this.#ask(step, transcript, loop, tell)
      ;[transcript, loop] = [answer.transcript, state]
      this.#memories.set(step, { transcript, loop })
      if (next.kind === 'done') return answer.text
      if (next.kind === 'failed') throw jobFailure(next.type, next.message)
      const calls = next.kind === 'tools' ? next.calls : []
      for (const call of calls) await this.#use(step, transcript, call, number)
      tell = { outcomes: calls.map(({ id, tool }) => ({ id, tool })) }
    }
  }

  async #ask(step: LlmStep, transcript: Transcript, loop: LoopState, tell: Partial<CallModelInput>) {
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
          ...(reads ? {} : { saved: this.#workspace.saved }),
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
    const { summary, hash } = call
    const since = Date.now()
    const answerWith = `holdfast allow ${workflowInfo().workflowId} ${hash}`
    const wait = { kind: 'tool', call: hash, summary, since, until: since + timeoutMs, answerWith } as const
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
