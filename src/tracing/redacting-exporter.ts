import type { Attributes } from '@opentelemetry/api'
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base'

/** Takes secrets out of spans, whatever put them there, before they leave the process. */
export class RedactingExporter implements SpanExporter {
  readonly #exporter: SpanExporter
  readonly #redact: (text: string) => string

  constructor(exporter: SpanExporter, redact: (text: string) => string) {
    this.#exporter = exporter
    this.#redact = redact
  }

  export(spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    this.#exporter.export(
      spans.map((span) => this.#redacted(span)),
      done,
    )
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown()
  }

  /** The span itself, but for the texts in it. */
  #redacted(span: ReadableSpan): ReadableSpan {
    const { status } = span
    return Object.create(span, {
      name: { value: this.#redact(span.name) },
      attributes: { value: this.#attributes(span.attributes) },
      status: { value: status.message ? { ...status, message: this.#redact(status.message) } : status },
      events: {
        value: span.events.map((event) => ({
          ...event,
          ...(event.attributes && { attributes: this.#attributes(event.attributes) }),
        })),
      },
    }) as ReadableSpan
  }

  #attributes(attributes: Attributes): Attributes {
    const redacted = (value: unknown): unknown =>
      typeof value === 'string' ? this.#redact(value) : Array.isArray(value) ? value.map(redacted) : value
    return Object.fromEntries(
      Object.entries(attributes).map(([key, value]) => [key, redacted(value)]),
    ) as Attributes
  }
}
