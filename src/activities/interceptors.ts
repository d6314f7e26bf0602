import { counted, outcomeOf } from './lib/metrics.ts'

/** Around every activity, as Temporal's ActivityInterceptors: counts how its attempts end. */
export const countingActivities = () => ({
  inbound: {
    async execute<Input>(input: Input, next: (input: Input) => Promise<unknown>): Promise<unknown> {
      try {
        const result = await next(input)
        counted('activities', { outcome: 'ok' })
        return result
      } catch (error) {
        counted('activities', { outcome: outcomeOf(error) })
        throw error
      }
    },
  },
})
