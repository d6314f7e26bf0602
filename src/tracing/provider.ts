import { setTimeout as delay } from 'node:timers/promises'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { envDetectorSync, Resource } from '@opentelemetry/resources'
import { BatchSpanProcessor, type SpanProcessor } from '@opentelemetry/sdk-trace-base'
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import { RedactingExporter } from './redacting-exporter.ts'

export interface Provider {
  resource: Resource
  processor: SpanProcessor
  /** Sends what is left. Never fails, and takes 2 s at most: traces are not worth more. */
  flush(): Promise<void>
}

/**
 * The provider of this process's spans: sent by OTLP over HTTP, as OpenTelemetry's own environment variables say.
 *
 * @param redact takes the secrets out of a text
 */
export function registerProvider(name: string, redact: (text: string) => string): Provider {
  const resource = new Resource({ 'service.name': name }).merge(envDetectorSync.detect())
  const processor = new BatchSpanProcessor(new RedactingExporter(new OTLPTraceExporter(), redact))
  const provider = new NodeTracerProvider({ resource, spanProcessors: [processor] })
  provider.register()
  return { resource, processor, flush: () => patiently(provider.forceFlush()) }
}

const patiently = async (work: Promise<void>): Promise<void> => {
  await Promise.race([work.catch(() => undefined), delay(2_000, undefined, { ref: false })])
}
