import { sendJson } from '../http.ts'
import type { Sample } from '../sandboxes/sampler.ts'
import type { LogEntry } from '../sandboxes/sandbox-log.ts'
import type { Registry } from '../sandboxes/registry.ts'
import { check } from './body.ts'
import type { Routes } from './routes.ts'
import { logsQuery, metricsQuery, oldLogsQuery, type LogsQuery } from './schemas.ts'

const defaultLimit = 1000
const levels = ['debug', 'info', 'warn', 'error']

/** Metrics and logs of a sandbox. */
export function observationRoutes(registry: Registry): Routes {
  return {
    'GET /sandboxes/:id/metrics': async ({ response, query, id }) => {
      const { start, end } = check(metricsQuery, Object.fromEntries(query))
      sendJson(response, 200, registry.get(id).machine.metrics.between(start, end).map(toMetric))
    },

    'GET /v2/sandboxes/:id/logs': async ({ response, query, id }) => {
      const wanted = check(logsQuery, Object.fromEntries(query))
      sendJson(response, 200, { logs: selectLogs(registry.get(id).log.entries(), wanted) })
    },

    'GET /sandboxes/:id/logs': async ({ response, query, id }) => {
      const { start, limit } = check(oldLogsQuery, Object.fromEntries(query))
      const wanted = { cursor: start, limit, direction: 'forward' } as const
      const logEntries = selectLogs(registry.get(id).log.entries(), wanted)
      sendJson(response, 200, { logs: logEntries.map(toLine), logEntries })
    },
  }
}

/** Entries (oldest first) that a query asks for: from `cursor` on, or backwards from it, newest first. */
export function selectLogs(entries: LogEntry[], query: LogsQuery): LogEntry[] {
  const { cursor, direction = 'backward', level = 'debug', limit = defaultLimit, search = '' } = query
  const matching = entries
    .filter((entry) => levels.indexOf(entry.level) >= levels.indexOf(level))
    .filter(({ message }) => message.includes(search))
    .filter(({ timestamp }) => {
      const at = Date.parse(timestamp)
      return cursor === undefined || (direction === 'forward' ? at >= cursor : at <= cursor)
    })
  return (direction === 'forward' ? matching : matching.reverse()).slice(0, limit)
}

/** `SandboxLog`: a line of JSON, as the command line client reads it. */
const toLine = ({ timestamp, level, message, fields }: LogEntry) => ({
  timestamp,
  line: JSON.stringify({ ...fields, logger: 'sandbox-server', level, message }),
})

/** `SandboxMetric`. */
const toMetric = (sample: Sample) => ({
  timestamp: new Date(sample.ts * 1000).toISOString(),
  timestampUnix: sample.ts,
  cpuCount: sample.cpu_count,
  cpuUsedPct: sample.cpu_used_pct,
  memUsed: sample.mem_used,
  memTotal: sample.mem_total,
  memCache: sample.mem_cache,
  diskUsed: sample.disk_used,
  diskTotal: sample.disk_total,
})
