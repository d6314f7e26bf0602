import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { json } from 'node:stream/consumers'
import type { ModelMessage, ToolContent } from 'ai'
import { Semaphore } from 'async-mutex'
import type { Transcript } from '../../contract/llm.ts'
import type { ModelSetting } from '../job/models.ts'
import type { RemoteTool } from './mcp.ts'
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

/** All that was said, in order. @param compacted parts whose tool outputs are left out */
export async function readTranscript(
  deps: ActivityDeps,
  { name, parts }: { name: string; parts: number },
  compacted: number,
): Promise<ModelMessage[]> {
  const turns = new Semaphore(PARALLEL_READS)
  const read = (_: unknown, part: number) => turns.runExclusive(() => readPart(deps, name, part))
  const all = await Promise.all(Array.from({ length: parts }, read))
  return all.flatMap(({ told, said }, part) =>
    part < compacted ? [...told, ...said].map(withoutOutputs) : [...told, ...said],
  )
}

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
