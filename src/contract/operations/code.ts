import { z } from 'zod'
import { DAY, envs, oneLine, text } from '../fields.ts'
import { live, sandboxPath } from './commands.ts'

const contextId = oneLine(100)
const language = oneLine(32).describe(
  '"python", "javascript", "typescript", "bash" …, as the template has them',
)

export const codeInputs = {
  'code.run': z
    .strictObject({
      code: text(512 * 1024),
      language: language.optional(),
      contextId: contextId
        .optional()
        .describe('As `code.createContext` returned it; the default one otherwise'),
      envs: envs.optional(),
      timeoutMs: z.int().min(1).max(DAY).default(60_000),
      live,
    })
    .refine((input) => !(input.language && input.contextId), {
      path: ['language'],
      message: "is the context's: name one of the two",
    }),
  'code.createContext': z.strictObject({ language: language.optional(), cwd: sandboxPath.optional() }),
  'code.listContexts': z.strictObject({}),
  'code.restartContext': z.strictObject({ contextId }),
  'code.removeContext': z.strictObject({ contextId }),
  'code.readArtifact': z.strictObject({ key: oneLine(1024) }),
}
