import { z } from 'zod'
import { checked, DAY, duration, envs, MINUTE, oneLine, text } from './fields.ts'
import { jobIdProblem, networkProblem } from './spec.ts'

const rules = z.array(oneLine(300)).max(100).optional()

/** What a session's sandbox is made from. */
export const sessionSpec = z.strictObject({
  id: checked(jobIdProblem).describe('Names the session, and is the id of its workflow'),
  sandbox: z
    .strictObject({
      template: oneLine(200).optional().describe("By default E2B's code-interpreter-v1"),
      envs: envs.default({}),
      metadata: z.record(oneLine(100), text(1000)).default({}),
      timeout: duration(DAY)
        .default(10 * MINUTE)
        .describe('E2B pauses the sandbox when no worker has extended it for so long'),
      secure: z.literal(true).default(true).describe('E2B sandboxes are always secured'),
      allowInternetAccess: z.boolean().optional(),
      network: z
        .strictObject({
          allowOut: rules,
          denyOut: rules,
          allowPublicTraffic: z.boolean().optional(),
          maskRequestHost: oneLine(300).optional(),
        })
        .superRefine((network, context) => {
          const problem = networkProblem(network)
          if (problem) context.addIssue({ code: 'custom', path: ['denyOut'], message: problem })
        })
        .optional(),
      mcp: z.record(oneLine(100), z.unknown()).optional().describe('Servers of the MCP gateway'),
    })
    .prefault({}),
  idleTimeout: duration(DAY)
    .default(2 * MINUTE)
    .describe('The sandbox is paused when nothing has used it for so long'),
  turnAfter: z
    .int()
    .min(10)
    .max(1_000)
    .default(1_000)
    .describe('Operations after which the workflow continues as new; Temporal allows 2,000 updates a run'),
})

export type SessionInput = z.input<typeof sessionSpec>
/** A spec once parsed: defaults filled in, every time in milliseconds. */
export type SessionSpec = z.output<typeof sessionSpec>
