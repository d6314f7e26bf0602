import type { DiffSummary, JobEvent, Phase, StepReport } from '../../contract/job.ts'
import type { Colors } from '../terminal.ts'
import { formatDuration } from './duration.ts'
import { alignRight, cleanLine } from './text.ts'

type Event<T extends JobEvent['type']> = JobEvent & { type: T }

export const PHASE_NAMES: Record<Phase, string> = {
  prepare: 'prepare',
  clone: 'clone',
  steps: 'steps',
  checks: 'checks',
  review: 'review',
  commit: 'commit',
  push: 'push',
  cleanUp: 'clean up',
  done: 'done',
}

export type End = 'ok' | 'failed' | 'cancelled'

/** The first line of a phase. */
export const phaseBegins = (phase: Phase, colors: Colors): string => colors.bold(`▸ ${PHASE_NAMES[phase]}`)

/** The last line of a phase. @param ms how long it took */
export function phaseEnds(phase: Phase, end: End, ms: number, colors: Colors): string {
  return mark(end, colors, alignRight(`${GLYPH[end]} ${PHASE_NAMES[phase]}`, formatDuration(ms)))
}

/** The last line of a job. @param ms since its first event; undefined where that wasn't seen */
export function jobEnds(end: End, ms: number | undefined, colors: Colors): string {
  const text = { ok: '✔ done', failed: '✘ failed', cancelled: '■ cancelled' }[end]
  return colors.bold(mark(end, colors, alignRight(text, ms === undefined ? undefined : formatDuration(ms))))
}

export const stepBegins = ({ kind, name }: Event<'stepStarted'>, colors: Colors): string =>
  colors.dim(`  ▸ ${kind === 'check' ? 'check: ' : ''}${cleanLine(name)}`)

export function stepEnds({ kind, name, exitCode, ms }: StepReport, colors: Colors): string {
  const exit = exitCode === 0 ? '' : exitCode === 124 ? ' (exit 124: timeout)' : ` (exit ${exitCode})`
  const end = exitCode === 0 ? 'ok' : 'failed'
  const title = `${kind === 'check' ? 'check: ' : ''}${cleanLine(name)}`
  // The exit code must not be what is cut off.
  const text = alignRight(`  ${GLYPH[end]} ${exit ? title.slice(0, 34) : title}${exit}`, formatDuration(ms))
  return mark(end, colors, text)
}

/** What an agent did in its turn, below its step. */
export function agentTurn({ resumed, last, toolCalls, usage }: Event<'agentTurn'>, colors: Colors): string[] {
  const tokens = usage.inputTokens + usage.outputTokens
  const counted = [
    resumed && 'went on with its conversation',
    `${toolCalls} tool call${toolCalls === 1 ? '' : 's'}`,
    tokens > 0 && `${tokens} tokens`,
  ]
  return [...last.map(cleanLine), counted.filter(Boolean).join(', ')].map((line) => outputLine(line, colors))
}

/** A line of a command's output, below its step. */
export const outputLine = (line: string, colors: Colors): string => colors.dim(`    │ ${line.slice(0, 500)}`)

/** @param pausedMs how long the sandbox had been paused before a resume; undefined where that wasn't seen */
export function sandboxLine(
  { type, sandboxId, ms }: Event<`sandbox${'Created' | 'Paused' | 'Resumed' | 'Killed' | 'Kept'}`>,
  pausedMs: number | undefined,
  colors: Colors,
): string {
  const took = formatDuration(ms)
  const id = cleanLine(sandboxId)
  const done = (text: string): string => mark('ok', colors, alignRight(`  ✔ ${text}`, took))
  switch (type) {
    case 'sandboxCreated':
      return done(`sandbox ${id} created`)
    case 'sandboxPaused':
      return colors.yellow(alignRight('  ⏸ sandbox paused', took))
    case 'sandboxResumed': {
      const after = pausedMs === undefined ? '' : ` after ${formatDuration(pausedMs)} of pause`
      return colors.cyan(alignRight(`  ▶ sandbox resumed${after}`, took))
    }
    case 'sandboxKilled':
      return done(`sandbox ${id} killed`)
    case 'sandboxKept':
      return colors.yellow(`  ⏸ sandbox ${id} kept, paused, for you to look at`)
  }
}

export const outage = ({ failure, retryAt, at }: Event<'outage'>, colors: Colors): string =>
  colors.yellow(
    `  ! ${failure.type}: ${cleanLine(failure.message)}; next try in ${formatDuration(retryAt - at)}`,
  )

export const waitBegins = (event: Event<'waitBegan'>, colors: Colors): string =>
  colors.yellow(`  … ${cleanLine(event.for)}, for ${formatDuration(event.until - event.at)} at most`)

export function reviewAnswer(event: Event<'reviewAnswered'>, colors: Colors): string {
  const { review } = event
  const by = cleanLine(review.by)
  switch (review.decision) {
    case 'approve':
      return mark('ok', colors, `  ✔ approved by ${by}${words(review.comment)}`)
    case 'reject':
      return mark('failed', colors, `  ✘ rejected by ${by}${words(review.reason)}`)
    case 'requestChanges':
      return colors.yellow(`  ↻ changes requested by ${by}${words(review.feedback)}`)
  }
}

/** `3 files, +12 −4` */
export const changes = ({
  files,
  insertions,
  deletions,
}: Pick<DiffSummary, 'files' | 'insertions' | 'deletions'>): string =>
  `${files} ${files === 1 ? 'file' : 'files'}, +${insertions} −${deletions}`

export const shortCommit = (commit: string): string => commit.slice(0, 10)

const GLYPH: Record<End, string> = { ok: '✔', failed: '✘', cancelled: '■' }

export function mark(end: End, colors: Colors, text: string): string {
  return { ok: colors.green, failed: colors.red, cancelled: colors.yellow }[end](text)
}

const words = (text: string | undefined): string => (text ? `: ${cleanLine(text.replaceAll('\n', ' '))}` : '')
