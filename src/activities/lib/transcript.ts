import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { json } from 'node:stream/consumers'
import type { ModelMessage, ToolContent } from 'ai'
import { Semaphore } from 'async-mutex'
import type { Transcript } from '../../contract/llm.ts'
import type { ModelSetting } from '../job/models.ts'
import type { RemoteTool } from './mcp.ts'
import { withSummary } from './summary.ts'
import { transcriptFolder } from './places.ts'
import type { ActivityDeps } from './deps.ts'

/** A part of a transcript: what the model was told, and what it answered. Written once, when the answer has come. */
export interface TranscriptPart<Answer> {
  told: ModelMessage[]
  said: ModelMessage[]
  /** What the activity that wrote it returned. */
  answer: Answer
  /** In the first part. */
  setting?: TranscriptSetting
}

/** How the model is asked, and what the MCP servers offered it then. */
export interface TranscriptSetting {
  step: ModelSetting
  remote: RemoteTool[]
}

const PARALLEL_READS = 20

/** What the model is told of the outputs that were left out. */
const LEFT_OUT = '(left out to save room; call the tool again if it is needed)'

const partKey = (deps: ActivityDeps, name: string, part: number): string =>
  `${transcriptFolder(deps, name)}${String(part).padStart(5, '0')}.json`

/** Some endpoints number the calls of each answer anew, so the part is in the name. */
const callKey = (
  deps: ActivityDeps,
  { name, parts }: Transcript,
  what: 'outcomes' | 'begun',
  call: string,
): string =>
  `${transcriptFolder(deps, name)}${what}/${parts}-${createHash('sha256').update(call).digest('hex').slice(0, 32)}.json`

export const readPart = <Answer>(
  deps: ActivityDeps,
  name: string,
  part: number,
): Promise<TranscriptPart<Answer>> => readJson(deps, partKey(deps, name, part))

/** The part where it was written already, by an earlier attempt. */
export async function findPart<Answer>(
  deps: ActivityDeps,
  name: string,
  part: number,
): Promise<TranscriptPart<Answer> | undefined> {
  const key = partKey(deps, name, part)
  const keys = await deps.blobs.keys(transcriptFolder(deps, name))
  return keys.includes(key) ? readJson(deps, key) : undefined
}

export async function writePart<Answer>(
  deps: ActivityDeps,
  name: string,
  part: number,
  content: TranscriptPart<Answer>,
): Promise<void> {
  await writeJson(deps, partKey(deps, name, part), content)
}

/** What a tool gave, for the model to read. */
export const writeOutcome = (
  deps: ActivityDeps,
  transcript: Transcript,
  call: string,
  output: string,
): Promise<void> => writeJson(deps, callKey(deps, transcript, 'outcomes', call), output)

/** Notes that a call of a remote tool is about to be made. @returns false where it was noted before */
export async function noteBegun(deps: ActivityDeps, transcript: Transcript, call: string): Promise<boolean> {
  const key = callKey(deps, transcript, 'begun', call)
  const begun = await deps.blobs.keys(`${transcriptFolder(deps, transcript.name)}begun/`)
  if (begun.includes(key)) return false
  await writeJson(deps, key, true)
  return true
}

/** Those of these calls, as the message that answers them. */
export async function outcomesOf(
  deps: ActivityDeps,
  transcript: Transcript,
  calls: { id: string; tool: string }[],
): Promise<ModelMessage[]> {
  if (calls.length === 0) return []
  const content: ToolContent = await Promise.all(
    calls.map(async ({ id, tool }) => {
      const value = await readJson<string>(deps, callKey(deps, transcript, 'outcomes', id))
      return { type: 'tool-result', toolCallId: id, toolName: tool, output: { type: 'text', value } } as const
    }),
  )
  return [{ role: 'tool', content }]
}

/** What the model has still to know of its transcript: the first parts may be shortened. */
export interface Shortened {
  /** Parts whose tool outputs are left out. */
  compacted: number
  /** Parts in whose place stands a summary; 0 for none. */
  summedUp?: number
}

/** All that was said, in order, shortened. */
export async function readTranscript(
  deps: ActivityDeps,
  { name, parts }: { name: string; parts: number },
  { compacted, summedUp = 0 }: Shortened,
): Promise<ModelMessage[]> {
  const turns = new Semaphore(PARALLEL_READS)
  const read = (_: unknown, index: number) => turns.runExclusive(() => readPart(deps, name, summedUp + index))
  const all = await Promise.all(Array.from({ length: parts - summedUp }, read))
  const messages = all.flatMap(({ told, said }, index) =>
    summedUp + index < compacted ? [...told, ...said].map(withoutOutputs) : [...told, ...said],
  )
  if (summedUp === 0) return messages
  const { summary } = await readJson<Summary>(deps, summaryKey(deps, name, summedUp))
  return withSummary((await readPart(deps, name, 0)).told, summary, messages)
}

/** What stands in the place of the first parts, and what it took to make it. */
export interface Summary {
  summary: string
  usage: { inputTokens: number; outputTokens: number }
}

const summaryKey = (deps: ActivityDeps, name: string, parts: number): string =>
  `${transcriptFolder(deps, name)}summaries/${String(parts).padStart(5, '0')}.json`

export async function findSummary(
  deps: ActivityDeps,
  name: string,
  parts: number,
): Promise<Summary | undefined> {
  const key = summaryKey(deps, name, parts)
  const keys = await deps.blobs.keys(`${transcriptFolder(deps, name)}summaries/`)
  return keys.includes(key) ? readJson(deps, key) : undefined
}

export const writeSummary = (
  deps: ActivityDeps,
  name: string,
  parts: number,
  summary: Summary,
): Promise<void> => writeJson(deps, summaryKey(deps, name, parts), summary)

export function withoutOutputs(message: ModelMessage): ModelMessage {
  if (message.role !== 'tool') return message
  return {
    ...message,
    content: message.content.map((part) =>
      part.type === 'tool-result' ? { ...part, output: { type: 'text', value: LEFT_OUT } } : part,
    ),
  }
}

const readJson = async <T>(deps: ActivityDeps, key: string): Promise<T> =>
  (await json(await deps.blobs.get(key))) as T

async function writeJson(deps: ActivityDeps, key: string, value: unknown): Promise<void> {
  await deps.blobs.put(key, Readable.from([Buffer.from(JSON.stringify(value))]))
}
