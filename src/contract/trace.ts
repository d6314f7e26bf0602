/** Header in which Temporal's OpenTelemetry interceptors carry the W3C trace context. */
export const TRACE_HEADER = '_tracer-data'

/** W3C trace context, as the header holds it. */
export interface TraceContext {
  traceparent?: string
}

const HEX = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

/** The span of one run of a workflow. */
export interface RunSpan {
  traceId: string
  spanId: string
  /** None where whoever started the run doesn't trace: then the run begins a trace of its own. */
  parentSpanId: string | undefined
  sampled: boolean
}

/**
 * The span of a run. Its ids are made of the run's own id, so that workflow code and every activity, on any worker, know them, and no
 * random number is drawn for them: tracing that is switched on or off changes nothing in how a workflow replays.
 */
export function runSpan(runId: string, { traceparent = '' }: TraceContext = {}): RunSpan {
  const id = runId.replaceAll('-', '')
  const [, traceId, parentSpanId, flags = '01'] = HEX.exec(traceparent) ?? []
  const sampled = (Number.parseInt(flags, 16) & 1) === 1
  return { traceId: traceId ?? id, spanId: id.slice(16), parentSpanId, sampled }
}

/** What the run's activities and child workflows are given, to be children of its span. */
export const traceContext = ({ traceId, spanId, sampled }: RunSpan): TraceContext => ({
  traceparent: `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`,
})
