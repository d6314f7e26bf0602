import { ApplicationFailure, CancelledFailure } from '@temporalio/common'
import type { SecretStore } from './lib/secrets.ts'

type Redact = SecretStore['redact']

/** Around each activity, as Temporal's ActivityInterceptors: takes secrets out of results and failures, whatever put them there. */
export const redactedActivities = ({ redact }: Pick<SecretStore, 'redact'>) => ({
  inbound: {
    async execute<Input extends object>(
      input: Input,
      next: (input: Input) => Promise<unknown>,
    ): Promise<unknown> {
      try {
        return redactedValue(await next(input), redact)
      } catch (error) {
        throw redactedError(error, redact)
      }
    },
  },
})

/** Plain data without secrets; bytes and instances of classes are left alone. */
function redactedValue(value: unknown, redact: Redact): unknown {
  if (typeof value === 'string') return redact(value)
  if (Array.isArray(value)) return value.map((one) => redactedValue(one, redact))
  if (!isPlain(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, redactedValue(one, redact)]))
}

const isPlain = (value: unknown): value is object =>
  typeof value === 'object' &&
  value !== null &&
  [Object.prototype, null].includes(Object.getPrototypeOf(value) as null)

/** The error itself, whose type says what happens next, with other words. */
function redactedError(error: unknown, redact: Redact): unknown {
  if (!(error instanceof Error)) return redactedValue(error, redact)
  for (const part of ['message', 'stack'] as const) {
    const redacted = redact(error[part] ?? '')
    // Not by assignment: those of a DOMException can't be assigned.
    if (redacted !== (error[part] ?? '')) Object.defineProperty(error, part, { value: redacted })
  }
  if ((error instanceof ApplicationFailure || error instanceof CancelledFailure) && error.details)
    Object.assign(error, { details: redactedValue(error.details, redact) })
  if (error.cause) Object.assign(error, { cause: redactedError(error.cause, redact) })
  return error
}
