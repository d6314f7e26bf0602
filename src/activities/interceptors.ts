import { trace } from '@opentelemetry/api'
import { counted, outcomeOf } from './lib/metrics.ts'
import { sandboxIdIn } from './lib/target.ts'

/** Around every activity, as Temporal's ActivityInterceptors: counts how its attempts end, and says which sandbox it is about. */
export const watchedActivities = () => ({
  inbound: {
    async execute<Input extends { args: unknown[] }>(
      input: Input,
      next: (input: Input) => Promise<unknown>,
    ): Promise<unknown> {
      about(sandboxIdIn(input.args[0]))
      try {
        const result = await next(input)
        about(sandboxIdIn(result))
        counted('activities', { outcome: 'ok' })
        return result
      } catch (error) {
        counted('activities', { outcome: outcomeOf(error) })
        throw error
      }
    },
  },
})

function about(sandboxId: string | undefined): void {
  if (sandboxId) trace.getActiveSpan()?.setAttribute('holdfast.sandboxId', sandboxId)
}
