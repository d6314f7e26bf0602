import { z } from 'zod'
import { AGENT_PRESETS } from './agents/index.ts'
import { DAY, duration, envs, MINUTE, oneLine, secretRef, text, checked, urlProblem } from './fields.ts'

/** What an agent and a model are asked alike. */
export const asked = {
  prompt: text(64 * 1024)
    .min(1)
    .describe('What is to be done. Facts of the repository and the checks to pass are added'),
  name: oneLine(100).optional().describe('What people see; the beginning of the prompt by default'),
  fixAttempts: z
    .int()
    .min(0)
    .max(20)
    .default(2)
    .describe('How often it is asked to mend red checks, in the same conversation'),
  prices: z
    .strictObject({ inputUsd: z.number().min(0).max(10_000), outputUsd: z.number().min(0).max(10_000) })
    .optional()
    .describe("USD for a million tokens, for the job's ledger; the agent's own account if left out"),
}

export const agentStep = z
  .strictObject({
    agent: z
      .union([
        z.enum(AGENT_PRESETS),
        z.strictObject({
          run: text(24 * 1024)
            .min(1)
            .describe('A command line that reads the prompt from its standard input'),
          resume: text(24 * 1024)
            .min(1)
            .optional()
            .describe('In place of it, to go on with the conversation $HOLDFAST_CONVERSATION'),
          keyHeader: oneLine(100)
            .regex(/^[A-Za-z0-9-]+$/, 'is not the name of a header, such as Authorization or x-api-key')
            .optional()
            .describe('In which it sends its key, which can then stay outside of the sandbox'),
          state: z
            .array(
              oneLine(200).regex(
                /^~(\/(?!\.\.?(\/|$))[\w.@+][\w.@+-]*)+$/,
                'is not a path in the home such as ~/.agent, of letters, digits and ._@+-',
              ),
            )
            .max(10)
            .optional()
            .describe('Where it keeps its conversations, which are then saved with the work'),
        }),
      ])
      .describe('A coding agent that the template has, by name or by command line'),
    ...asked,
    model: oneLine(200).optional().describe("In the agent's own words"),
    baseUrl: checked(urlProblem)
      .optional()
      .describe("An endpoint that speaks the protocol of the agent's vendor"),
    key: secretRef.optional(),
    envs: envs.optional(),
    timeout: duration(DAY)
      .default(60 * MINUTE)
      .describe('After this the turn is ended'),
    idleTimeout: duration(DAY)
      .default(10 * MINUTE)
      .describe('After so long without a word the turn is ended: a dead endpoint makes agents hang'),
    maxToolCalls: z
      .int()
      .min(1)
      .max(100_000)
      .optional()
      .describe('Behind so many calls of tools the turn is ended'),
    maxCostUsd: z
      .number()
      .positive()
      .max(1_000_000)
      .optional()
      .describe("Where it has cost so much, by prices or else by the agent's own account, the turn is ended"),
  })
  .describe('Have a coding agent work')

export type AgentStep = z.output<typeof agentStep>
