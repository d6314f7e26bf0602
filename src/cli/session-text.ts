import type { SessionSummary } from '../client/sessions.ts'
import type { SessionStatus } from '../contract/session.ts'
import { formatDuration, formatMoment } from './progress/duration.ts'
import { cleanLine } from './progress/text.ts'
import { field, sandboxUse } from './status-text.ts'
import type { Colors } from './terminal.ts'

/** The status of a session for people. @param now ms since the epoch */
export function formatSession(status: SessionStatus, now: number, colors: Colors): string {
  const { id, state, sandbox, inUse, operations, openedAt, usedAt, idleTimeout } = status
  const rows: [string, string | false][] = [
    ['session', colors.bold(cleanLine(id))],
    ['state', state],
    ['sandbox', sandbox.sandboxId !== null && `${cleanLine(sandbox.sandboxId)}, ${sandboxUse(sandbox)}`],
    ['now', inUse > 0 && `${counted(inUse)} under way`],
    ['used', `${formatDuration(now - usedAt)} ago, ${counted(operations)} so far`],
    ['opened', formatMoment(openedAt)],
    ['idle pause', `after ${formatDuration(idleTimeout)}`],
  ]
  return rows.flatMap(([label, value]) => (value ? [field(label, value)] : [])).join('\n')
}

const counted = (operations: number): string =>
  `${operations} ${operations === 1 ? 'operation' : 'operations'}`

/** Open sessions as a table. @param now ms since the epoch */
export function formatSessions(sessions: SessionSummary[], now: number, colors: Colors): string {
  if (sessions.length === 0) return 'no open sessions'
  const row = (opened: string, age: string, id: string): string =>
    `${opened.padEnd(16)}  ${age.padStart(12)}  ${id}`
  return [
    colors.dim(row('OPENED', 'TIME', 'SESSION')),
    ...sessions.map(({ id, openedAt }) =>
      row(formatMoment(openedAt.getTime()), formatDuration(now - openedAt.getTime()), cleanLine(id)),
    ),
  ].join('\n')
}
