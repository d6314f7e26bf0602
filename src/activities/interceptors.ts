import { trace } from '@opentelemetry/api'
import { counted, outcomeOf } from './lib/metrics.ts'
import { sandboxIdIn } from './lib/target.ts'

/** Around each activity, as Temporal's ActivityInterceptors: counts how it ends, and tells log and trace which sandbox it is about. */
export function watchedActivities() {
  let sandboxId: string | undefined
  const isAbout = (value: unknown): void => {
    sandboxId ??= sandboxIdIn(value)
    if (sandboxId) trace.getActiveSpan()?.setAttribute('holdfast.sandboxId', sandboxId)
  }
  return {
    inbound: {
      async execute<Input extends { args: unknown[] }>(
        input: Input,
        next: (input: Input) => Promise<unknown>,
      ): Promise<unknown> {
        isAbout(input.args[0])
        try {
          const result = await next(input)
          isAbout(result)
          counted('activities', { outcome: 'ok' })
          return result
        } catch (error) {
          counted('activities', { outcome: outcomeOf(error) })
          throw error
        }
      },
    },
    outbound: {
      getLogAttributes: <Attributes extends object>(
        input: Attributes,
        next: (input: Attributes) => Record<string, unknown>,
      ) => next({ ...input, ...(sandboxId && { sandboxId }) }),
    },
  }
}
