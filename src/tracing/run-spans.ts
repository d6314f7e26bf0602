import { SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api'
import { hrTimeDuration, timeInputToHrTime } from '@opentelemetry/core'
import type { Resource } from '@opentelemetry/resources'
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace-base'
import type { InjectedSinks } from '@temporalio/worker'
import { runSpan } from '../contract/trace.ts'
import type { TraceSinks } from '../workflows/lib/trace.ts'

/** Makes the span of each run of a workflow, when it has ended. */
export const runSpans = (processor: SpanProcessor, resource: Resource): InjectedSinks<TraceSinks> => ({
  holdfastTraces: {
    runEnded: {
      callDuringReplay: false,
      fn({ workflowId, runId, workflowType, startTime }, parent, failed) {
        const { traceId, spanId, parentSpanId, sampled } = runSpan(runId, parent)
        if (!sampled) return
        const [begun, ended] = [timeInputToHrTime(startTime), timeInputToHrTime(new Date())]
        const span: ReadableSpan = {
          name: `RunWorkflow:${workflowType}`,
          kind: SpanKind.INTERNAL,
          spanContext: () => ({ traceId, spanId, traceFlags: TraceFlags.SAMPLED }),
          ...(parentSpanId && { parentSpanId }),
          startTime: begun,
          endTime: ended,
          duration: hrTimeDuration(begun, ended),
          ended: true,
          status: { code: failed ? SpanStatusCode.ERROR : SpanStatusCode.OK },
          attributes: { temporalWorkflowId: workflowId, run_id: runId },
          links: [],
          events: [],
          resource,
          instrumentationLibrary: { name: 'holdfast' },
          droppedAttributesCount: 0,
          droppedEventsCount: 0,
          droppedLinksCount: 0,
        }
        processor.onEnd(span)
      },
    },
  },
})
