import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { expect, test } from 'vitest'
import { RedactingExporter } from '../../src/tracing/redacting-exporter.ts'

test('a secret leaves in no part of a span, and the rest stays as it was', () => {
  const memory = new InMemorySpanExporter()
  const exporter = new RedactingExporter(memory, (text) => text.replaceAll('canary', '***'))
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  const span = provider.getTracer('test').startSpan('run canary')
  span.setAttributes({ text: 'a canary', list: ['canary', 'b'], count: 3 })
  span.setStatus({ code: 2, message: 'the canary failed' })
  span.recordException(new Error('canary'))
  span.end()
  const [sent] = memory.getFinishedSpans()
  expect(sent).toMatchObject({
    name: 'run ***',
    attributes: { text: 'a ***', list: ['***', 'b'], count: 3 },
    status: { code: 2, message: 'the *** failed' },
    events: [{ name: 'exception', attributes: { 'exception.message': '***' } }],
  })
  expect(JSON.stringify(sent!.events)).not.toContain('canary')
  expect(sent!.spanContext()).toEqual(span.spanContext())
  expect(sent!.duration).toEqual([expect.any(Number), expect.any(Number)])
})
