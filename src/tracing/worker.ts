import type { Context } from '@temporalio/activity'
import { defaultPayloadConverter } from '@temporalio/common'
import {
  OpenTelemetryActivityInboundInterceptor,
  OpenTelemetryActivityOutboundInterceptor,
} from '@temporalio/interceptors-opentelemetry'
import type { ActivityInterceptors } from '@temporalio/worker'
import { runSpan, TRACE_HEADER, traceContext } from '../contract/trace.ts'
import { registerProvider } from './provider.ts'
import { runSpans } from './run-spans.ts'
import type { WorkerTracing } from './start.ts'

export function workerTracing(redact: (text: string) => string): WorkerTracing {
  const provider = registerProvider('holdfast-worker', redact)
  return {
    activity: [
      childOfRun,
      (context) => ({
        inbound: new OpenTelemetryActivityInboundInterceptor(context),
        outbound: new OpenTelemetryActivityOutboundInterceptor(context),
      }),
    ],
    sinks: runSpans(provider.processor, provider.resource),
    flush: () => provider.flush(),
  }
}

/** Where whoever started the run doesn't trace, its activities are children of its span all the same. */
function childOfRun({ info }: Context): ActivityInterceptors {
  return {
    inbound: {
      execute(input, next) {
        const { workflowExecution: run } = info
        if (input.headers[TRACE_HEADER] || !run) return next(input)
        const context = defaultPayloadConverter.toPayload(traceContext(runSpan(run.runId)))
        return next({ ...input, headers: { ...input.headers, [TRACE_HEADER]: context } })
      },
    },
  }
}
