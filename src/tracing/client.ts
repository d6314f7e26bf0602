import { ProxyTracerProvider, trace } from '@opentelemetry/api'
import type { WorkflowClientInterceptor } from '@temporalio/client'
import { OpenTelemetryWorkflowClientInterceptor } from '@temporalio/interceptors-opentelemetry'
import { type Provider, registerProvider } from './provider.ts'
import type { ClientTracing } from './start.ts'

/** Spans for what a client changes. Not for queries: following a job asks many times a second. */
export function clientTracing(): ClientTracing {
  const traced = new OpenTelemetryWorkflowClientInterceptor()
  const interceptor: WorkflowClientInterceptor = {
    start: (input, next) => traced.start(input, next),
    startWithDetails: (input, next) => traced.startWithDetails(input, next),
    signal: (input, next) => traced.signal(input, next),
    startUpdate: (input, next) => traced.startUpdate(input, next),
    startUpdateWithStart: (input, next) => traced.startUpdateWithStart(input, next),
    cancel: (input, next) => traced.cancel(input, next),
    terminate: (input, next) => traced.terminate(input, next),
  }
  if (!own && !hasProvider()) own = registerProvider('holdfast-client', (text) => text)
  return { interceptors: [interceptor], flush: () => own?.flush() ?? Promise.resolve() }
}

/** Ours, for all clients of this process; none where the backend traces itself, and takes our spans as its own. */
let own: Provider | undefined

function hasProvider(): boolean {
  const provider = trace.getTracerProvider()
  const none = new ProxyTracerProvider().getDelegate()
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegate() !== none
}
