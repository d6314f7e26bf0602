import type { FailureReport } from '../../contract/failures.ts'
import type { JobEvent } from '../../contract/job.ts'
import type { Colors } from '../terminal.ts'
import { formatDuration, formatMoment } from './duration.ts'
import { changes } from './event-lines.ts'
import { cleanLines } from './text.ts'

/**
 * The request for a review, with the commands that answer it.
 *
 * @param program how this command line is called, such as `npx holdfast --address …`
 * @param now ms since the epoch
 */
export function reviewBox(
  event: JobEvent & { type: 'reviewRequested' },
  { jobId, program, now, colors }: { jobId: string; program: string; now: number; colors: Colors },
): string[] {
  const { round, until } = event
  const command = (label: string, line: string): string =>
    `${label.padEnd(17)}${colors.cyan(`${program} ${line}`)}`
  const left = until > now ? `for ${formatDuration(until - now)} more, ` : ''
  return box(colors.yellow, [
    colors.bold(`Your review, please${round > 1 ? ` (round ${round})` : ''}: ${changes(event)}`),
    command('look', `diff ${jobId}`),
    command('approve', `approve ${jobId}`),
    command('reject', `reject ${jobId} --reason "…"`),
    command('request changes', `request-changes ${jobId} --feedback "…"`),
    colors.dim(`waits ${left}until ${formatMoment(until)}`),
  ])
}

const OUTPUT_LINES = 20

/** A failure: its words, the end of the command's output, and what to do. */
export function failureBox(failure: FailureReport, colors: Colors): string[] {
  const { type, message, remedy, output = '' } = failure
  const tail = cleanLines(output).slice(-OUTPUT_LINES)
  const [first = '', ...more] = cleanLines(message)
  return box(colors.red, [
    colors.red(colors.bold(`${type}: ${first}`)),
    ...more,
    ...tail.map((line) => colors.red(`  ${line.slice(0, 500)}`)),
    `${colors.bold('remedy:')} ${remedy}`,
  ])
}

/** Open to the right: lines of any length fit, and can be copied. */
function box(paint: (text: string) => string, lines: string[]): string[] {
  return lines.map((line, index) => {
    const edge = index === 0 ? '┌' : index === lines.length - 1 ? '└' : '│'
    return `  ${paint(edge)} ${line}`
  })
}
