import { z } from 'zod'
import { asked } from './agent-step.ts'
import { checked, DAY, duration, HOUR, MINUTE, oneLine, secretRef, text, urlProblem } from './fields.ts'

/** What a model may use. Each works in the repository of the job. */
export const TOOL_NAMES = ['run', 'read', 'write', 'patch', 'list', 'search', 'diff'] as const

export const llmStep = z
  .strictObject({
    llm: z.strictObject({
      model: oneLine(200).describe(
        'As its endpoint calls it; with a provider of the workers "provider:model"',
      ),
      baseUrl: checked(urlProblem)
        .optional()
        .describe("An endpoint of OpenAI's protocol; without one the workers' own providers are asked"),
      key: secretRef.optional(),
      maxOutputTokens: z.int().min(1).max(1_000_000).optional().describe('Of one answer'),
      temperature: z.number().min(0).max(2).optional(),
    }),
    ...asked,
    system: text(64 * 1024)
      .optional()
      .describe('In place of the instructions that Holdfast gives'),
    tools: z
      .array(z.enum(TOOL_NAMES))
      .min(1)
      .default([...TOOL_NAMES]),
    mcp: z
      .array(
        z.strictObject({
          name: z.string().regex(/^[a-z][a-z0-9-]{0,20}$/, 'is not a name like tracker'),
          url: checked(urlProblem).describe('Of its streamable HTTP endpoint'),
          key: secretRef.optional().describe('Sent as its bearer token'),
        }),
      )
      .max(10)
      .superRefine((servers, context) => {
        const names = servers.map(({ name }) => name)
        for (const [at, name] of names.entries())
          if (names.indexOf(name) < at)
            context.addIssue({ code: 'custom', path: [at, 'name'], message: `is another server's: ${name}` })
      })
      .default([])
      .describe('MCP servers whose tools the model has too; they are called by the worker'),
    approve: z
      .array(
        z.strictObject({
          tool: oneLine(100).describe('One of them, or of an MCP server: "server__tool"'),
          matching: text(500)
            .optional()
            .describe('What is looked for in its input, * for anything; all calls if left out'),
        }),
      )
      .max(50)
      .default([])
      .describe('Calls that a person has to allow, each for itself'),
    approvalTimeout: duration(365 * DAY)
      .default(DAY)
      .describe('No answer in this time is a no'),
    maxTurns: z.int().min(1).max(1_000).default(100).describe('Calls of the model, in all rounds together'),
    maxTokens: z
      .int()
      .min(1)
      .max(1_000_000_000)
      .optional()
      .describe('Read and written, in all rounds together'),
    compactAt: z
      .int()
      .min(1_000)
      .max(10_000_000)
      .default(100_000)
      .describe(
        "Where a call has read so many tokens, the outputs of older tools are left out of the next; where that doesn't help, what was said is summed up",
      ),
    callTimeout: duration(HOUR)
      .default(5 * MINUTE)
      .describe('Of one call of the model'),
    toolTimeout: duration(DAY)
      .default(10 * MINUTE)
      .describe('Of one command that it runs'),
  })
  .superRefine(({ llm: { key, baseUrl } }, context) => {
    if (key && !baseUrl)
      context.addIssue({
        code: 'custom',
        path: ['llm', 'key'],
        message: "needs llm.baseUrl: the workers' own providers have keys of their own",
      })
  })
  .describe('Have a model work, by tools in the sandbox')

export type LlmStep = z.output<typeof llmStep>
export type ToolName = (typeof TOOL_NAMES)[number]
