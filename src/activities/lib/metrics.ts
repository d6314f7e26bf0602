import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { metricMeter } from '@temporalio/activity'
import { ApplicationFailure, CancelledFailure } from '@temporalio/common'
import { isFailureType } from '../../contract/failures.ts'
import { type CounterName, type HistogramName, METRICS } from '../../contract/metrics.ts'

/** Adds to a counter of this worker, from within an activity. */
export function counted(name: CounterName, labels: Record<string, string> = {}, value = 1): void {
  const { name: metric, help } = METRICS[name]
  metricMeter.createCounter(metric, undefined, help).add(value, labels)
}

function recorded(name: HistogramName, labels: Record<string, string>, value: number): void {
  const { name: metric, help } = METRICS[name]
  metricMeter.createHistogram(metric, 'float', undefined, help).record(value, labels)
}

/** Makes a call to E2B: counts and times it, and makes it a span where this worker traces. */
export function measured<T>(call: string, run: () => Promise<T>): Promise<T> {
  const begun = performance.now()
  return tracer.startActiveSpan(`E2B:${call}`, { kind: SpanKind.CLIENT }, async (span) => {
    const end = (outcome: string): void => {
      counted('e2bCalls', { call, outcome })
      recorded('e2bCallSeconds', { call }, (performance.now() - begun) / 1000)
      span.setAttribute('holdfast.outcome', outcome).end()
    }
    try {
      const result = await run()
      end('ok')
      return result
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message })
      end(outcomeOf(error))
      throw error
    }
  })
}

/** OpenTelemetry's API alone does nothing: the spans go where the worker has registered a provider. */
const tracer = trace.getTracer('holdfast')

/** What an error counts as: one of the closed list, so that there are never many. */
export function outcomeOf(error: unknown): string {
  if (error instanceof CancelledFailure) return 'cancelled'
  return error instanceof ApplicationFailure && isFailureType(error.type) ? error.type : 'InternalError'
}
