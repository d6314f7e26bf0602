import { createHash } from 'node:crypto'
import type { jsonSchema, ToolSet } from 'ai'
import { stringify } from 'yaml'
import { z } from 'zod'
import type { ToolName } from '../../contract/llm-step.ts'
import { text } from '../../contract/fields.ts'
import { type RemoteTool, remoteName } from './mcp.ts'
import { repositoryPathProblem } from '../../contract/git-names.ts'

const path = z
  .string()
  .superRefine((value, context) => {
    const problem = repositoryPathProblem(value)
    if (problem) context.addIssue({ code: 'custom', message: problem })
  })
  .describe('In the repository')
const folder = path.optional().describe('A folder of the repository; its root by default')

/** What each tool takes, and what a model is told of it. */
export const TOOLS = {
  run: {
    description:
      'Runs a command line in bash, in the root of the repository. The answer has its exit code and output.',
    input: z.strictObject({ command: text(24 * 1024).min(1) }),
  },
  read: {
    description: 'Reads a text file, with the numbers of its lines.',
    input: z.strictObject({
      path,
      from: z.int().min(1).default(1).describe('The first line'),
      lines: z.int().min(1).max(2_000).default(400),
    }),
  },
  write: {
    description: 'Writes a file, in place of one that is there.',
    input: z.strictObject({ path, content: text(512 * 1024) }),
  },
  patch: {
    description: 'Applies a unified diff, as git makes it.',
    input: z.strictObject({ patch: text(512 * 1024).min(1) }),
  },
  list: {
    description: 'Lists the files under a folder that git knows or would add.',
    input: z.strictObject({ path: folder }),
  },
  search: {
    description: 'Searches the files that git knows for an extended regular expression.',
    input: z.strictObject({ pattern: text(1_000).min(1), path: folder }),
  },
  diff: {
    description: 'Shows what has changed since the job began.',
    input: z.strictObject({}),
  },
} satisfies Record<ToolName, { description: string; input: z.ZodType }>

export type ToolInput<Name extends ToolName> = z.output<(typeof TOOLS)[Name]['input']>

/** Without `execute`: the workflow has each call done, durably. */
export const toolSet = (names: ToolName[], remote: RemoteTool[], schema: typeof jsonSchema): ToolSet =>
  Object.fromEntries<ToolSet[string]>([
    ...names.map((name): [string, ToolSet[string]] => [
      name,
      { description: TOOLS[name].description, inputSchema: TOOLS[name].input },
    ]),
    ...remote.map((tool): [string, ToolSet[string]] => [
      remoteName(tool),
      { description: tool.description, inputSchema: schema(tool.inputSchema) },
    ]),
  ])

export const isToolName = (name: string): name is ToolName => Object.hasOwn(TOOLS, name)

/** The same for the same call, whatever the order of its fields. */
export function callHash(tool: string, input: unknown): string {
  const fields = Object.entries(input ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256')
    .update(JSON.stringify([tool, fields]))
    .digest('hex')
    .slice(0, 12)
}

/** Whether the text has what the pattern says, somewhere; `*` stands for anything. Takes time by their lengths, and no more. */
export function matches(text: string, pattern: string): boolean {
  let from = 0
  for (const part of pattern.split('*')) {
    const at = text.indexOf(part, from)
    if (at < 0) return false
    from = at + part.length
  }
  return true
}

/**
 * Whether a call says what the pattern does: in one value, however deep, or in the names of a server's own arguments; or
 * its parts in several of them, whose order is the model's to choose.
 */
export function says(tool: string, input: unknown, pattern: string): boolean {
  const words = isToolName(tool) ? Object.values(input ?? {}).flatMap(wordsOf) : wordsOf(input)
  if (words.some((word) => matches(word, pattern))) return true
  return (
    words.length !== 1 &&
    pattern.split('*').every((part) => !part || words.some((word) => word.includes(part)))
  )
}

function wordsOf(input: unknown): string[] {
  if (Array.isArray(input)) return input.flatMap(wordsOf)
  if (typeof input !== 'object' || input === null) return [String(input)]
  return Object.entries(input).flatMap(([name, value]) => [name, ...wordsOf(value)])
}

const LITERALLY = { lineWidth: 0, blockQuote: 'literal', aliasDuplicateObjects: false } as const

/**
 * All that a call asks for, as people are shown it before they allow it: no value looks like another, and no end of a line like none.
 *
 * @param mask takes secrets out of it, before it is cut
 * @param max characters; of a longer one it is said how much is left out in the middle
 */
export function askedFor(input: unknown, mask: (text: string) => string, max: number): string {
  // Each value before it is written as YAML, which indents the lines of a longer one.
  const masked = (_: unknown, value: unknown): unknown => (typeof value === 'string' ? mask(value) : value)
  const whole = mask(stringify(input, masked, LITERALLY).trimEnd())
  if (whole.length <= max) return whole
  const [first, last] = [whole.slice(0, Math.floor(max / 2)), whole.slice(-Math.floor(max / 2))]
  return `${first}\n… ${whole.length - first.length - last.length} characters more …\n${last}`
}

/** What a call is about, in a line. @param mask takes secrets out of it, before it is cut */
export function callSummary(tool: string, input: unknown, mask: (text: string) => string): string {
  const { command, path: file, pattern, patch } = (input ?? {}) as Record<string, unknown>
  const about =
    command ?? pattern ?? file ?? (typeof patch === 'string' ? /^\+\+\+ (.*)$/m.exec(patch)?.[1] : '')
  const words = typeof about === 'string' ? about.replaceAll(/\s+/g, ' ').trim() : ''
  const line = mask(`${tool}${words ? `: ${words}` : ''}`)
  return line.length > 200 ? `${line.slice(0, 199)}…` : line
}
