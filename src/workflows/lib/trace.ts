import { defaultPayloadConverter, type Headers } from '@temporalio/common'
import {
  ContinueAsNew,
  proxySinks,
  type Sinks,
  type WorkflowInterceptors,
  workflowInfo,
} from '@temporalio/workflow'
import { runSpan, TRACE_HEADER, traceContext, type TraceContext } from '../../contract/trace.ts'

/** Where a worker that traces takes the spans of its workflows. */
export interface TraceSinks extends Sinks {
  holdfastTraces: { runEnded(parent: TraceContext | undefined, failed: boolean): void }
}

/**
 * Carries the trace of whoever started the run to what the run starts. Not Temporal's own interceptors for workflows: these draw ids from
 * the random numbers of the workflow, so that a job which began without them would not replay with them.
 */
export function propagating(): WorkflowInterceptors {
  const { holdfastTraces } = proxySinks<TraceSinks>()
  let given: Headers = {}
  const carried = (headers: Headers): Headers => {
    const parent = contextOf(given)
    if (!parent) return headers
    const context = traceContext(runSpan(workflowInfo().runId, parent))
    return { ...headers, [TRACE_HEADER]: defaultPayloadConverter.toPayload(context) }
  }
  return {
    inbound: [
      {
        async execute(input, next) {
          given = input.headers
          let failed = false
          try {
            return await next(input)
          } catch (error) {
            failed = !(error instanceof ContinueAsNew)
            throw error
          } finally {
            holdfastTraces.runEnded(contextOf(given), failed)
          }
        },
      },
    ],
    outbound: [
      {
        scheduleActivity: (input, next) => next({ ...input, headers: carried(input.headers) }),
        startChildWorkflowExecution: (input, next) => next({ ...input, headers: carried(input.headers) }),
        continueAsNew: (input, next) => next({ ...input, headers: carried(input.headers) }),
      },
    ],
  }
}

function contextOf(headers: Headers): TraceContext | undefined {
  const header = headers[TRACE_HEADER]
  return header && defaultPayloadConverter.fromPayload(header)
}
