import { startOtlpReceiver } from './otlp-receiver.ts'
import { steadyPort } from './steady-port.ts'

/** What workers tell of themselves, gathered to be searched: their traces, and their metrics. */
export interface Telemetry {
  /** What a worker is started with, beside its own environment. */
  settingsFor(env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv>
  /** Takes the metrics of the workers that live. */
  scrape(): Promise<void>
  /** What came so far; a worker sends the rest of its traces when it ends. */
  traces(): string
  metrics(): string
  stop(): Promise<void>
}

export async function startTelemetry(): Promise<Telemetry> {
  const receiver = await startOtlpReceiver()
  const served: string[] = []
  const scraped: string[] = []
  return {
    settingsFor: async ({ HOLDFAST_METRICS_PORT, OTEL_EXPORTER_OTLP_ENDPOINT = receiver.url }) => {
      const port = HOLDFAST_METRICS_PORT ?? String(await steadyPort())
      served.push(`http://127.0.0.1:${port}/metrics`)
      return { HOLDFAST_METRICS_PORT: port, OTEL_EXPORTER_OTLP_ENDPOINT }
    },
    scrape: async () => {
      // One that was killed tells nothing any more.
      const read = (url: string): Promise<string> => fetch(url).then((answer) => answer.text())
      scraped.push(...(await Promise.all(served.map((url) => read(url).catch(() => '')))))
    },
    traces: () => receiver.text(),
    metrics: () => scraped.join('\n'),
    stop: () => receiver.stop(),
  }
}
