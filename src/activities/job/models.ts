import { Context } from '@temporalio/activity'
import type { GenerateTextResult, ModelMessage, ToolSet } from 'ai'
import type { ModelAnswer, ToolCall, Transcript } from '../../contract/llm.ts'
import type { LlmStep } from '../../contract/llm-step.ts'
import { failure } from '../../contract/failure.ts'
import type { ActivityDeps } from '../lib/deps.ts'
import { whileBeating } from '../lib/heartbeat.ts'
import { listRemoteTools, type RemoteTool } from '../lib/mcp.ts'
import { mapModelError, modelOf } from '../lib/models.ts'
import { askedFor, callHash, callSummary, isToolName, says, toolSet } from '../lib/tools.ts'
import { asText, MAX_SUMMARY, SUM_UP } from '../lib/summary.ts'
import {
  findPart,
  findSummary,
  outcomesOf,
  readPart,
  readTranscript,
  type Summary,
  type TranscriptSetting,
  writePart,
  writeSummary,
} from '../lib/transcript.ts'

export type ModelSetting = Pick<LlmStep, 'llm' | 'system' | 'tools' | 'mcp' | 'approve' | 'callTimeout'>

export interface CallModelInput {
  transcript: Transcript
  /** With the first call of a transcript, which keeps it. */
  step?: ModelSetting
  /** What the model is told: by the user, or */
  prompt?: string
  /** the outcomes of these calls of its last answer. */
  outcomes?: { id: string; tool: string }[]
  /** Parts of the transcript whose tool outputs are left out. */
  compacted: number
  /** Parts of the transcript in whose place a summary stands. */
  summedUp?: number
}

export interface SumUpInput extends Required<Pick<CallModelInput, 'transcript' | 'summedUp'>> {
  /** How many parts are to be summed up, those among them that already are. */
  parts: number
}

const SYSTEM =
  'You are a software engineer at work in a git repository, by the tools that you are given. Look before you change, keep changes small, ' +
  'and make sure that they work. When all is done, say in a few sentences what you did.'
const MAX_TEXT = 4_000
const MAX_ID = 200
/** Of what a person is shown of a call to be allowed, and of all calls of an answer. */
const MAX_ASKED = 4_000
const MAX_ALL_ASKED = 64_000
/** Of what it says beside calling tools. */
const MAX_ASIDE = 300

export const modelActivities = (deps: ActivityDeps) => ({
  /**
   * Asks a model for its next answer. The answer is kept in the blob store before it is told: a second attempt finds it
   * there, and pays no second one. Of a call whose worker died before the reply came nobody knows whether it was paid.
   *
   * @throws `ModelUnavailable`, `ModelFailed`, `SecretMissing`, `SecretForbidden`, `BlobStoreUnavailable`
   */
  async callModel(input: CallModelInput): Promise<ModelAnswer> {
    const { transcript, prompt, outcomes = [], compacted, summedUp = 0 } = input
    const { name, parts } = transcript
    const found = await findPart<ModelAnswer>(deps, name, parts)
    if (found) return found.answer
    const setting = await settingOf(deps, name, input.step)
    const told: ModelMessage[] = [
      ...(await outcomesOf(deps, transcript, outcomes)),
      ...(prompt === undefined ? [] : [{ role: 'user' as const, content: prompt }]),
    ]
    const messages = [...(await readTranscript(deps, transcript, { compacted, summedUp })), ...told]
    const result = await whileBeating(() => ask(deps, setting.step, { messages, remote: setting.remote }))
    const said = result.response.messages
    const answer = answerOf(deps, result, setting.step.approve, { name, parts: parts + 1 })
    await writePart(deps, name, parts, { told, said, answer, ...(parts === 0 && { setting }) })
    return answer
  },

  /**
   * Has the model sum up the first parts of its transcript, to stand in their place. Like an answer the summary is kept
   * before it is told.
   *
   * @throws as `callModel`, `ModelRefused`
   */
  async sumUp({ transcript: { name }, parts, summedUp }: SumUpInput): Promise<Pick<Summary, 'usage'>> {
    const found = await findSummary(deps, name, parts)
    if (found) return { usage: found.usage }
    const { step } = await settingOf(deps, name, undefined)
    const said = await readTranscript(deps, { name, parts }, { compacted: parts, summedUp })
    const llm = { ...step.llm, maxOutputTokens: Math.min(MAX_SUMMARY, step.llm.maxOutputTokens ?? Infinity) }
    const messages: ModelMessage[] = [{ role: 'user', content: asText(said) }]
    const { text, usage } = await whileBeating(() =>
      ask(deps, { ...step, llm, system: SUM_UP }, { messages }),
    )
    if (!text.trim())
      throw failure('ModelRefused', 'the model was asked to sum up what was said, and said nothing')
    const { inputTokens = 0, outputTokens = 0 } = usage
    await writeSummary(deps, name, parts, { summary: text, usage: { inputTokens, outputTokens } })
    return { usage: { inputTokens, outputTokens } }
  },
})

type Result = GenerateTextResult<ToolSet, never>

async function ask(
  deps: ActivityDeps,
  step: ModelSetting,
  { messages, remote }: { messages: ModelMessage[]; remote?: RemoteTool[] },
): Promise<Result> {
  const { generateText, jsonSchema } = await import('ai')
  const { maxOutputTokens, temperature } = step.llm
  const signal = AbortSignal.any([
    Context.current().cancellationSignal,
    AbortSignal.timeout(step.callTimeout),
  ])
  try {
    return await generateText({
      model: await modelOf(step.llm, deps),
      system: step.system ?? SYSTEM,
      messages,
      ...(remote && { tools: toolSet(step.tools, remote, jsonSchema) }),
      // Temporal tries again.
      maxRetries: 0,
      abortSignal: signal,
      ...(maxOutputTokens !== undefined && { maxOutputTokens }),
      ...(temperature !== undefined && { temperature }),
    })
  } catch (error) {
    throw await mapModelError(error)
  }
}

const FINISH: Record<string, ModelAnswer['finish']> = {
  stop: 'stop',
  'tool-calls': 'tools',
  length: 'length',
  'content-filter': 'refused',
}

function answerOf(
  deps: ActivityDeps,
  { text, toolCalls, finishReason, usage }: Result,
  approve: LlmStep['approve'],
  transcript: Transcript,
): ModelAnswer {
  const { inputTokens = 0, outputTokens = 0 } = usage
  const valid = toolCalls.filter((call) => !call.invalid)
  const mask = (whole: string): string => deps.secrets.redact(whole)
  const ids = new Set(toolCalls.map(({ toolCallId }) => toolCallId))
  if (ids.size < toolCalls.length || [...ids].some((id) => id.length > MAX_ID))
    throw failure('ModelFailed', 'the model gave its calls of tools no ids to tell them by')
  return {
    transcript,
    finish: FINISH[finishReason] ?? 'other',
    text: mask(text).slice(0, valid.length > 0 ? MAX_ASIDE : MAX_TEXT),
    calls: valid.map(({ toolCallId: id, toolName: tool, input }): ToolCall => ({
      id,
      tool,
      remote: !isToolName(tool),
      summary: callSummary(tool, input, mask),
      hash: callHash(tool, input),
      ...(approve.some((rule) => rule.tool === tool && says(tool, input, rule.matching ?? ''))
        ? {
            mustBeAllowed: true,
            asked: askedFor(input, mask, Math.min(MAX_ASKED, MAX_ALL_ASKED / valid.length)),
          }
        : { mustBeAllowed: false }),
    })),
    invalid: toolCalls.length - valid.length,
    usage: { inputTokens, outputTokens },
  }
}

/** How the model is asked: what the first part of the transcript says, or what is to stand there. */
async function settingOf(
  deps: ActivityDeps,
  name: string,
  step: ModelSetting | undefined,
): Promise<TranscriptSetting> {
  if (step) return { step, remote: await listRemoteTools(step.mcp, deps.secrets) }
  const { setting } = await readPart<ModelAnswer>(deps, name, 0)
  if (!setting) throw failure('InternalError', `the transcript ${name} does not say how its model is asked`)
  return setting
}
