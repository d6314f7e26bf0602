import { Runtime, type TelemetryOptions } from '@temporalio/worker'
import type { Logger as Pino } from 'pino'
import { METRICS } from '../contract/metrics.ts'
import { temporalLogger } from './logger.ts'
import { freePort } from './temporal/ports.ts'

/** Where a worker's metrics are to be served; port 0 takes a free one. */
export interface MetricsAddress {
  host: string
  port: number
}

/**
 * Temporal's runtime, once for this process and before its first connection: with our logger and, where an address is given, with
 * Temporal's metrics and ours served there for Prometheus.
 *
 * @returns the URL of the metrics
 * @throws Error where the address can't be listened at
 */
export async function installRuntime(log: Pino, address?: MetricsAddress): Promise<string | undefined> {
  const base = { logger: temporalLogger(log), shutdownSignals: [] }
  if (!address) {
    Runtime.install(base)
    return undefined
  }
  const { host } = address
  const authority = `${host.includes(':') ? `[${host}]` : host}:${address.port || (await freePort())}`
  Runtime.install({ ...base, telemetryOptions: { metrics: prometheus(authority) } })
  return `http://${authority}/metrics`
}

const prometheus = (bindAddress: string): NonNullable<TelemetryOptions['metrics']> => ({
  prometheus: {
    bindAddress,
    countersTotalSuffix: true,
    useSecondsForDurations: true,
    histogramBucketOverrides: Object.fromEntries(
      Object.values(METRICS).flatMap((metric) =>
        'buckets' in metric ? [[metric.name, [...metric.buckets]]] : [],
      ),
    ),
  },
})
