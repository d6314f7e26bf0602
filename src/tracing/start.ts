import type { WorkflowClientInterceptor } from '@temporalio/client'
import type { ActivityInterceptorsFactory, InjectedSinks } from '@temporalio/worker'
import type { TraceSinks } from '../workflows/lib/trace.ts'

export interface WorkerTracing {
  activity: ActivityInterceptorsFactory[]
  sinks: InjectedSinks<TraceSinks>
  /** Sends what is left. */
  flush(): Promise<void>
}

export interface ClientTracing {
  interceptors: WorkflowClientInterceptor[]
  /** Sends what is left. */
  flush(): Promise<void>
}

/** Where this process's traces go, as OpenTelemetry's own environment says; undefined where nothing is traced. */
export const tracesUrl = (
  {
    OTEL_SDK_DISABLED: disabled,
    OTEL_EXPORTER_OTLP_ENDPOINT: all,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: traces,
  }: NodeJS.ProcessEnv = process.env,
): string | undefined =>
  disabled === 'true' ? undefined : traces || (all && `${all.replace(/\/$/, '')}/v1/traces`) || undefined

/** Traces this worker where the environment says so; otherwise nothing of OpenTelemetry but its API is loaded. */
export async function traceWorker(redact: (text: string) => string): Promise<WorkerTracing> {
  if (tracesUrl()) return (await import('./worker.ts')).workerTracing(redact)
  return {
    activity: [],
    sinks: { holdfastTraces: { runEnded: { fn: () => undefined } } },
    flush: () => Promise.resolve(),
  }
}

/** The same for a client. */
export async function traceClient(): Promise<ClientTracing | undefined> {
  return tracesUrl() ? (await import('./client.ts')).clientTracing() : undefined
}
