import type { JobSummary } from '../client/jobs.ts'
import type { Cost } from '../contract/cost.ts'
import type { JobResult, JobStatus, SandboxUse, WaitingFor } from '../contract/job.ts'
import { formatDuration, formatMoment } from './progress/duration.ts'
import { changes, mark, PHASE_NAMES, shortCommit, stepEnds } from './progress/event-lines.ts'
import { cleanLine, cleanLines } from './progress/text.ts'
import type { Colors } from './terminal.ts'

/** The status of a job for people. @param program how this command line is called, for the review's commands */
export function formatStatus(status: JobStatus, program: string, now: number, colors: Colors): string {
  const { id, phase, round, current, waitingFor, sandbox, branch, commit, steps, cost } = status
  const rows: [string, string | null | undefined | false][] = [
    ['job', colors.bold(id)],
    ['phase', `${PHASE_NAMES[phase]}${round > 1 ? `, round ${round}` : ''}`],
    ['now', current && cleanLine(current)],
    ['waits for', waitingFor && waiting(waitingFor, now)],
    [
      'answer with',
      waitingFor && 'answerWith' in waitingFor && colors.cyan(answerWith(waitingFor.answerWith, program)),
    ],
    [
      'guards',
      waitingFor?.kind === 'review' &&
        waitingFor.breaches?.map(({ message }) => cleanLine(message)).join('; '),
    ],
    [
      'asks for',
      waitingFor?.kind === 'tool' && cleanLines(waitingFor.asked ?? '').join(`\n${field('', '')}`),
    ],
    ['branch', cleanLine(branch)],
    ['commit', commit],
    ['preview', sandbox.state !== 'killed' && sandbox.previewUrl],
    [
      'sandbox',
      sandbox.sandboxId
        ? `${cleanLine(sandbox.sandboxId)}, ${sandboxUse(sandbox)}`
        : phase === 'prepare' && 'none yet',
    ],
    ['cost', costs(cost)],
  ]
  return [
    ...rows.filter(([, value]) => value).map(([label, value]) => field(label, value || '')),
    ...steps.map((step) => stepEnds(step, colors)),
  ].join('\n')
}

/** The command as this command line is called. */
const answerWith = (command: string, program: string): string => command.replace(/^holdfast/, program)

function waiting(waitingFor: WaitingFor, now: number): string {
  const { kind, since, until } = waitingFor
  const time = formatDuration(now - since)
  if (kind === 'review') return `a review, for ${time} now; until ${formatMoment(until)}`
  if (kind === 'tool')
    return `"${cleanLine(waitingFor.summary)}" to be allowed, for ${time} now; until ${formatMoment(until)}`
  if (kind === 'timer') return `its time, for ${time} now; until ${formatMoment(until)}`
  if (kind === 'notification')
    return `${cleanLine(waitingFor.name)}, for ${time} now; until ${formatMoment(until)}`
  return `${waitingFor.failure.type}, for ${time} now; next try at ${formatMoment(until)}`
}

/** The result of a job for people. */
export function formatResult(result: JobResult, colors: Colors): string {
  const { outcome, branch, base, commit, remoteHead, diff, sandbox, cost } = result
  const rows: [string, string | null | undefined][] = [
    ['outcome', colors.bold(mark(outcome === 'completed' ? 'ok' : 'failed', colors, outcome))],
    ['branch', `${cleanLine(branch)}, from ${cleanLine(base)}`],
    ['changes', changes(diff)],
    ['commit', commit],
    ['remote', remoteHead && (remoteHead === commit ? 'has it' : `has ${shortCommit(remoteHead)}`)],
    ['sandbox', sandbox.sandboxId && sandboxUse(sandbox)],
    ['cost', costs(cost)],
  ]
  return rows
    .filter(([, value]) => value)
    .map(([label, value]) => field(label, value ?? ''))
    .join('\n')
}

export function sandboxUse({ state, runningMs, pausedMs, resumes }: SandboxUse): string {
  const paused = pausedMs > 0 ? `, paused ${formatDuration(pausedMs)}` : ''
  const resumed = resumes > 0 ? `, resumed ${resumes === 1 ? 'once' : `${resumes} times`}` : ''
  return `${state}; ran ${formatDuration(runningMs)}${paused}${resumed}`
}

/** What a job has cost, as in "$0.0042: sandbox $0.0017, 51 Temporal actions $0.0025; pausing saved $1.23". */
function costs({ sandbox, temporal, models, usd, savedByPausingUsd }: Cost): string {
  const { inputTokens, outputTokens } = models
  const tokens =
    inputTokens + outputTokens > 0 ? `, ${inputTokens + outputTokens} tokens ${dollars(models.usd)}` : ''
  const saved = savedByPausingUsd > 0 ? `; pausing saved ${dollars(savedByPausingUsd)}` : ''
  return `${dollars(usd)}: sandbox ${dollars(sandbox.usd)}, ${temporal.actions} Temporal actions ${dollars(temporal.usd)}${tokens}${saved}`
}

const twoDigits = new Intl.NumberFormat('en', { maximumSignificantDigits: 2 })

/** To the cent; below a dollar to two digits. */
const dollars = (usd: number): string => `$${usd < 1 ? twoDigits.format(usd) : usd.toFixed(2)}`

export const field = (label: string, value: string): string => `${label.padEnd(12)} ${value}`

/** Jobs as a table. @param now ms since the epoch */
export function formatList(jobs: JobSummary[], now: number, colors: Colors): string {
  if (jobs.length === 0) return 'no jobs'
  const row = (status: string, started: string, time: string, id: string): string =>
    `${status.padEnd(12)} ${started.padEnd(16)}  ${time.padStart(12)}  ${id}`
  return [
    colors.dim(row('STATUS', 'STARTED', 'TIME', 'JOB')),
    ...jobs.map(({ id, status, startedAt, closedAt }) =>
      row(
        status.toLowerCase(),
        formatMoment(startedAt.getTime()),
        formatDuration((closedAt?.getTime() ?? now) - startedAt.getTime()),
        cleanLine(id),
      ),
    ),
  ].join('\n')
}
