import { z } from 'zod'
import { DAY, envs, oneLine, text } from '../fields.ts'

/** Whom a command, or an access to a file, is by; E2B's default user otherwise. */
export const user = oneLine(32).regex(/^[a-z_][a-z0-9_-]*$/, 'is not the name of a user, as root or user')

/** A path in the sandbox: absolute, or from the user's home. */
export const sandboxPath = oneLine(4096)

/** A command that was started before, by the user that it was started by. */
const started = {
  commandId: oneLine(64)
    .regex(/^[a-f0-9]+$/, 'is not an id that commands.start returned')
    .describe('As `commands.start` returned it'),
  user: user.optional(),
}

const command = {
  cmd: text(128 * 1024)
    .min(1)
    .describe('A command line for bash'),
  cwd: sandboxPath.optional().describe("A folder; the user's home by default"),
  envs: envs.optional(),
  user: user.optional(),
}

export const live = z
  .boolean()
  .default(false)
  .describe('Whether what it prints is kept as it comes, to be followed')

export const commandInputs = {
  'commands.run': z.strictObject({
    ...command,
    timeoutMs: z.int().min(1).max(DAY).default(60_000).describe('Then it is ended, with exit code 124'),
    concurrent: z
      .boolean()
      .default(false)
      .describe('In a session: beside other commands, rather than after them'),
    live,
  }),
  'commands.start': z.strictObject({
    ...command,
    stdin: z.boolean().default(false).describe('Whether it reads what `commands.sendStdin` sends'),
    timeoutMs: z
      .int()
      .min(0)
      .max(30 * DAY)
      .default(0)
      .describe('Then it is ended, with exit code 124; 0 for never'),
  }),
  'commands.wait': z.strictObject({
    ...started,
    timeoutMs: z.int().min(1).max(DAY).default(60_000),
    live,
  }),
  'commands.list': z.strictObject({ user: user.optional() }),
  'commands.kill': z.strictObject({
    ...started,
    graceMs: z.int().min(0).max(60_000).default(5_000).describe('Between SIGTERM and SIGKILL'),
  }),
  'commands.sendStdin': z.strictObject({ ...started, data: text(64 * 1024) }),
  'commands.closeStdin': z.strictObject(started),
}
