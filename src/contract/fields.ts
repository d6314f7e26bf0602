import ms from 'ms'
import { z } from 'zod'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** A time as people write it (`'20m'`, `'7d'`) or in milliseconds; milliseconds once parsed. */
export const duration = (max: number) =>
  z
    .union([z.number(), z.string().max(30)])
    .transform((value, context) => {
      // `ms` throws at an empty string.
      const parsed = typeof value === 'number' ? value : ms((value || 'none') as ms.StringValue)
      if (Number.isSafeInteger(parsed) && parsed > 0 && parsed <= max) return parsed
      context.addIssue({
        code: 'custom',
        message: `is not a time of at most ${ms(max, { long: true })}: write "90s", "20m", "7d", or milliseconds`,
      })
      return z.NEVER
    })
    .describe('A time: "90s", "20m", "7d", or milliseconds')

/** A string for which `problem` finds nothing wrong. */
export const checked = (problem: (value: string) => string | undefined) =>
  z.string().superRefine((value, context) => {
    const found = problem(value)
    if (found) context.addIssue({ code: 'custom', message: found })
  })

export const urlProblem = (value: string): string | undefined => {
  if (value.length > 2000) return 'is longer than 2,000 characters'
  // A parser leaves some out: what is checked would not be what is used.
  if (/[\u0000-\u0020\u007f]/.test(value))
    return 'has a control character, or a space (which is %20 in a URL)'
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (!url || !['https:', 'http:'].includes(url.protocol)) return 'is not an http or https URL'
  if (url.username || url.password) return 'holds credentials: take them out and name a secret in repo.auth'
  return undefined
}

export const oneLine = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[^\u0000-\u001f\u007f]*$/, 'has a control character')
export const text = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => !value.includes('\0'), 'has a NUL character')

/** A reference to a secret; its value is resolved on the worker, in an activity, and never enters a history. */
export const secretRef = z
  .strictObject({
    secret: z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/, 'is not a name like GIT_TOKEN'),
  })
  .describe('A secret by name; the worker holds its value')

export const envs = z
  .record(
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is not a name for an environment variable'),
    text(8192),
  )
  .describe('Environment variables; no secrets, they would stand in the history')

export type SecretRef = z.output<typeof secretRef>

/** A reference to a secret of the worker, for a spec. */
export const secret = (name: string): SecretRef => ({ secret: name })
