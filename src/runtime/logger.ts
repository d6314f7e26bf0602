import { DefaultLogger, type Logger, type LogLevel } from '@temporalio/worker'
import pino, { type DestinationStream, type Logger as Pino } from 'pino'

/** stdout belongs to what a program answers. */
const stderr = (): DestinationStream => pino.destination({ dest: 2, sync: true })

/**
 * Structured logs: a line of JSON each.
 *
 * @param redact takes the secrets out of a line, whatever put them there
 */
export const createLogger = (
  level: 'debug' | 'info' | 'warn' | 'error',
  redact: (line: string) => string = (line) => line,
  destination: DestinationStream = stderr(),
): Pino =>
  pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      // Temporal's word for it, beside pino's.
      serializers: { error: pino.stdSerializers.err },
      hooks: { streamWrite: redact },
    },
    destination,
  )

/** Temporal's logger, writing to ours. */
export function temporalLogger(log: Pino): Logger {
  const level = log.level.toUpperCase() as LogLevel
  return new DefaultLogger(level, ({ level, message, meta }) => {
    const write = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const
    log[write[level]](meta ?? {}, message)
  })
}
