import { z } from 'zod'

const milliseconds = z.number().int().min(0)

// Which requests a fault is for, and how often.
const scope = {
  /** Control calls, or traffic for sandboxes; both where absent. */
  to: z.enum(['control', 'sandbox']).optional(),
  method: z.string().optional(),
  /** Regular expression for the path, without the query. */
  path: z.string().refine(isPattern, 'is no regular expression').optional(),
  /** In the path of a control call, or the one that traffic is for. */
  sandboxId: z.string().optional(),
  /** How many matches are let by before, of each sandbox. */
  skip: z.number().int().min(0).default(0),
  /** How often it fires; absent: once, or without limit while `forMs` lasts. */
  times: z.number().int().min(1).optional(),
  /** From when it is armed; absent: until it has fired `times`. */
  forMs: milliseconds.optional(),
}

/** What can be made to go wrong. */
export const fault = z.discriminatedUnion('kind', [
  /** The call isn't done, and answered with this. */
  z.strictObject({
    kind: z.literal('answer'),
    status: z.number().int().min(400).max(599),
    retryAfter: z.union([z.number(), z.string()]).optional(),
    ...scope,
  }),
  /** The call is done, and its connection reset instead of answered. */
  z.strictObject({ kind: z.literal('loseReply'), ...scope }),
  /** The call is done after this time. */
  z.strictObject({ kind: z.literal('latency'), ms: milliseconds, ...scope }),
  /** The answer's connection is reset after so many bytes of its body, or so long after the request. */
  z
    .strictObject({
      kind: z.literal('cutStream'),
      afterBytes: z.number().int().min(0).optional(),
      afterMs: milliseconds.optional(),
      ...scope,
    })
    .refine(({ afterBytes, afterMs }) => (afterBytes === undefined) !== (afterMs === undefined), {
      message: 'give afterBytes or afterMs',
    }),
  /** Traffic for a sandbox isn't let through: its connection is reset, or hangs until the fault ends. */
  z.strictObject({ kind: z.literal('unreachable'), how: z.enum(['reset', 'hang']), ...scope }),
  /** The sandbox that the request is for is killed: before the request is done, or so long after it came. */
  z.strictObject({ kind: z.literal('killSandbox'), afterMs: milliseconds.optional(), ...scope }),
  /** At a resume the home is as it was at the pause before the last one. Must be armed before that pause. */
  z.strictObject({
    kind: z.literal('loseFiles'),
    sandboxId: scope.sandboxId,
    skip: scope.skip,
    times: scope.times,
    forMs: scope.forMs,
  }),
])
export type Fault = z.infer<typeof fault>

/** Something that a fault can be for. */
export type Occasion =
  | {
      kind: 'request'
      to: 'control' | 'sandbox'
      method: string
      path: string
      sandboxId: string | undefined
    }
  | { kind: 'resume'; sandboxId: string }

/** Whether a fault is for this occasion, however often it may still fire. */
export function isFor(fault: Fault, occasion: Occasion): boolean {
  if (fault.sandboxId !== undefined && fault.sandboxId !== occasion.sandboxId) return false
  if (fault.kind === 'loseFiles') return occasion.kind === 'resume'
  if (occasion.kind === 'resume') return false
  if (fault.kind === 'unreachable' && occasion.to === 'control') return false
  if (fault.kind === 'killSandbox' && occasion.sandboxId === undefined) return false
  return (
    (fault.to === undefined || fault.to === occasion.to) &&
    (fault.method === undefined || fault.method === occasion.method) &&
    (fault.path === undefined || new RegExp(fault.path).test(occasion.path))
  )
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp
  } catch {
    return false
  }
}
