import type { FailureType } from '../../contract/failures.ts'
import type { ModelAnswer, ToolCall } from '../../contract/llm.ts'
import type { LlmStep } from '../../contract/llm-step.ts'

/** What a loop has been through, in all its rounds. */
export interface LoopState {
  turns: number
  tokens: number
  /** Answers in a row whose calls were none. */
  invalid: number
  /** The last calls, by their hashes, and how often the same came in a row. */
  repeated: { hashes: string; times: number }
  /** Parts of the transcript whose tool outputs are left out. */
  compacted: number
  /** Parts in whose place a summary stands. */
  summedUp: number
}

export const NEW_LOOP: LoopState = {
  turns: 0,
  tokens: 0,
  invalid: 0,
  repeated: { hashes: '', times: 0 },
  compacted: 0,
  summedUp: 0,
}

/** What follows an answer. */
export type Next =
  | { kind: 'tools'; calls: ToolCall[] }
  /** The model is asked again, with the errors that it was told. */
  | { kind: 'again' }
  | { kind: 'done' }
  | { kind: 'failed'; type: FailureType; message: string }

const MAX_INVALID = 5
const MAX_REPEATED = 5
/** Parts at the end of a transcript that are never left out. */
const KEPT_PARTS = 6

/** Takes an answer in, and decides. */
export function take(
  state: LoopState,
  answer: ModelAnswer,
  step: Pick<LlmStep, 'maxTurns' | 'maxTokens' | 'compactAt'>,
): { state: LoopState; next: Next } {
  const { calls, usage, transcript } = answer
  const hashes = calls.map(({ hash }) => hash).join(' ')
  const same = hashes !== '' && hashes === state.repeated.hashes
  const after: LoopState = {
    turns: state.turns + 1,
    tokens: state.tokens + usage.inputTokens + usage.outputTokens,
    invalid: answer.invalid > 0 && calls.length === 0 ? state.invalid + 1 : 0,
    repeated: { hashes, times: same ? state.repeated.times + 1 : 1 },
    compacted:
      usage.inputTokens >= step.compactAt
        ? Math.max(state.compacted, transcript.parts - KEPT_PARTS)
        : state.compacted,
    summedUp: state.summedUp,
  }
  return { state: after, next: decide(after, answer, step) }
}

function decide(
  { turns, tokens, invalid, repeated }: LoopState,
  { finish, calls, text, invalid: broken }: ModelAnswer,
  { maxTurns, maxTokens = Infinity }: Pick<LlmStep, 'maxTurns' | 'maxTokens'>,
): Next {
  const failed = (type: FailureType, message: string): Next => ({ kind: 'failed', type, message })
  if (finish === 'refused') return failed('ModelRefused', text || "the model's vendor refused to answer")
  const goesOn = calls.length > 0 || broken > 0
  if (!goesOn && finish === 'length')
    return failed('ModelStuck', 'the answer was cut off at llm.maxOutputTokens')
  if (!goesOn)
    return text.trim() ? { kind: 'done' } : failed('ModelRefused', 'the model answered with nothing at all')
  if (invalid >= MAX_INVALID)
    return failed(
      'ModelStuck',
      `${invalid} answers in a row called no tool that there is, or with broken input`,
    )
  if (repeated.times >= MAX_REPEATED)
    return failed('ModelStuck', `the same call ${repeated.times} times in a row: ${calls[0]?.summary ?? ''}`)
  if (turns >= maxTurns) return failed('ModelStuck', `maxTurns: the model was asked ${turns} times`)
  if (tokens >= maxTokens) return failed('ModelStuck', `maxTokens: the model has used ${tokens} tokens`)
  return calls.length > 0 ? { kind: 'tools', calls } : { kind: 'again' }
}

/** How many parts are to be summed up now, as leaving out old outputs has not helped; 0 for none. */
export function partsToSumUp(
  before: LoopState,
  after: LoopState,
  { usage, transcript }: Pick<ModelAnswer, 'usage' | 'transcript'>,
  { compactAt }: Pick<LlmStep, 'compactAt'>,
): number {
  const { parts } = transcript
  const hasHelped = before.compacted === 0 || parts - before.compacted > 2 * KEPT_PARTS
  if (usage.inputTokens < compactAt || hasHelped) return 0
  return after.compacted - after.summedUp >= KEPT_PARTS ? after.compacted : 0
}
