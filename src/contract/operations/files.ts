import { z } from 'zod'
import { oneLine } from '../fields.ts'
import { sandboxPath as path, user } from './commands.ts'

/** Bytes of a file that one operation carries: Temporal refuses payloads of 2 MB. */
export const MAX_FILE_BYTES = 1024 * 1024

/** Text as it is, or bytes in base64. */
const content = {
  content: z.string().max(Math.ceil((MAX_FILE_BYTES * 4) / 3) + 4),
  encoding: z.enum(['utf8', 'base64']).default('utf8'),
}

const at = { path, user: user.optional() }

export const fileInputs = {
  'files.read': z.strictObject({
    ...at,
    encoding: z
      .enum(['utf8', 'base64'])
      .default('utf8')
      .describe('"utf8" gives text, "base64" the very bytes'),
  }),
  'files.write': z.strictObject({ ...at, ...content }),
  'files.writeFiles': z.strictObject({
    files: z
      .array(z.strictObject({ path, ...content }))
      .min(1)
      .max(100),
    user: user.optional(),
  }),
  'files.list': z.strictObject({
    ...at,
    depth: z.int().min(1).max(100).default(1),
    limit: z.int().min(1).max(1_000).default(1_000),
  }),
  'files.makeDir': z.strictObject(at),
  'files.remove': z.strictObject(at),
  'files.rename': z.strictObject({ oldPath: path, newPath: path, user: user.optional() }),
  'files.exists': z.strictObject(at),
  'files.getInfo': z.strictObject(at),
  'files.watchDir': z.strictObject({
    ...at,
    recursive: z.boolean().default(false),
    timeoutMs: z
      .int()
      .min(1)
      .max(24 * 60 * 60_000)
      .default(60_000)
      .describe('How long to watch'),
    signal: oneLine(100)
      .optional()
      .describe('A signal of the calling workflow, which gets the events as they come'),
    maxEvents: z.int().min(1).max(1_000).default(100).describe('After so many the watch ends'),
  }),
}
