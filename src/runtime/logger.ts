import { DefaultLogger, type Logger, type LogLevel } from '@temporalio/worker'
import pino, { type Logger as Pino } from 'pino'

/** Structured logs on stderr: stdout belongs to what a program answers. */
export const createLogger = (level: 'debug' | 'info' | 'warn' | 'error'): Pino =>
  pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  )

/** Temporal's logger, writing to ours. */
export function temporalLogger(log: Pino): Logger {
  const level = log.level.toUpperCase() as LogLevel
  return new DefaultLogger(level, ({ level, message, meta }) => {
    const write = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const
    log[write[level]](meta ?? {}, message)
  })
}
