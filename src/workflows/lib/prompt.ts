import { type DiffSummary, type StepReport, stepName } from '../../contract/job.ts'
import { cutMiddle } from '../../contract/output.ts'
import type { AgentJobSpec } from '../../contract/spec.ts'
import { changesText } from './changes.ts'

/** What an agent is asked in a turn of a job. */
export type Ask = Asked | { kind: 'goOn'; asked: Asked }

export type Asked =
  | { kind: 'first'; prompt: string }
  | { kind: 'feedback'; prompt: string; feedback: string; changes?: DiffSummary | null }
  | {
      kind: 'fix'
      prompt: string
      check: Pick<StepReport, 'name' | 'exitCode'>
      output: string
      changes?: DiffSummary | null
    }

/** Of a failed check's output. */
const MAX_OUTPUT = 12_000
const HEAD_LINES = 20
const TAIL_LINES = 60
/** Around a line that looks like what went wrong. */
const CONTEXT = 3

/**
 * The prompt of a turn.
 *
 * @param known whether the agent has the conversation so far: where not, it is told what it was asked at first
 */
export function promptFor(
  ask: Ask,
  { branch, repo, checks }: Pick<AgentJobSpec, 'branch' | 'repo' | 'checks'>,
  known: boolean,
): string {
  const setting = [
    `You work in a clone of a git repository (branch ${branch}, made from ${repo.base}); your working folder is its root.`,
    'Change files there. Leave commits and pushes to others: your changes are committed when you have ended.',
    checks.length > 0 && `These commands must exit with 0 afterwards:\n${checks.map(checkLine).join('\n')}`,
  ]
  const before = ({ prompt }: Asked) => [
    `This was asked before, and the working tree has what was done about it (see git status and git diff):\n\n${prompt}`,
    ...setting,
  ]
  const since = (asked: Exclude<Asked, { kind: 'first' }>) => [
    soFar(asked, known),
    asked.kind === 'feedback' ? feedback(asked.feedback) : failure(asked),
  ]
  const parts = (): (string | false)[] => {
    if (ask.kind === 'first') return [ask.prompt, ...setting]
    if (ask.kind !== 'goOn') return [...(known ? [] : before(ask)), ...since(ask)]
    const { asked } = ask
    return known ? [GO_ON] : [...before(asked), ...(asked.kind === 'first' ? [] : since(asked)), GO_ON]
  }
  return parts().filter(Boolean).join('\n\n')
}

const GO_ON = "You were cut off: your model's vendor did not answer. Go on with what you were asked last."

const soFar = ({ changes }: Exclude<Asked, { kind: 'first' }>, known: boolean): string | false =>
  !!changes && changes.files > 0 && changesText(changes, !known)

const checkLine = (check: AgentJobSpec['checks'][number]): string =>
  `- ${check.run.trim()}${check.cwd ? ` (in ${check.cwd})` : ''}`

const feedback = (text: string): string =>
  `Somebody has looked at the changes and asks for others. Make them:\n\n${text}`

const failure = ({ check, output }: Asked & { kind: 'fix' }): string =>
  `The check "${check.name}" ${check.exitCode === 124 ? 'ran into its timeout' : `exited with ${check.exitCode}`}. Mend what is wrong; don't weaken the check. What it printed:\n\n${usefulPart(output)}`

const TELLING = /\b(error|fail(ed|ure|ing)?|exception|panic|traceback|assert\w*|expected|not ok|✗|✘|×)\b/i

/** The beginning, the end, and what looks like errors with the lines around it. */
export function usefulPart(output: string): string {
  const lines = output.trimEnd().split('\n')
  const keep = new Set<number>()
  const all = (from: number, to: number): void => {
    for (let at = Math.max(0, from); at < Math.min(lines.length, to); at++) keep.add(at)
  }
  all(0, HEAD_LINES)
  all(lines.length - TAIL_LINES, lines.length)
  let left = MAX_OUTPUT - [...keep].reduce((sum, at) => sum + (lines[at]?.length ?? 0), 0)
  for (const [at, line] of lines.entries()) {
    if (left <= 0) break
    if (keep.has(at) || !TELLING.test(line)) continue
    all(at - CONTEXT, at + CONTEXT + 1)
    left -= lines.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).join('\n').length
  }
  const kept = lines.map((line, at) => (keep.has(at) ? line : null))
  const text = kept
    .filter((line, at) => line !== null || kept[at - 1] !== null)
    .map((line) => line ?? '…')
    .join('\n')
  return cutMiddle(text, MAX_OUTPUT)
}

/** Two red checks with the same print fail for the same reason: times, addresses and the like left out. */
export function printOf({ name, exitCode }: Pick<StepReport, 'name' | 'exitCode'>, output: string): string {
  const words = output
    .replaceAll(/0x[0-9a-f]+|\b(?=[0-9a-f]*\d)[0-9a-f]{7,}\b/gi, '#')
    .replaceAll(/\d+([.:]\d+)*\s?(ms|s|sec|seconds|min|minutes)\b/g, '#')
    .replaceAll(/\d+[-:.]\d+[-:.][\dT:.Z-]+|:\d{4,5}\b|\/tmp\/\S+/g, '#')
    .replaceAll(/\s+/g, ' ')
    .trim()
  return `${name}\0${exitCode}\0${words}`
}

/** What people see of an agent's turn. */
export function turnName(step: AgentJobSpec['steps'][number], ask: Ask): string {
  switch (ask.kind) {
    case 'first':
      return stepName(step)
    case 'feedback':
      return `changes: ${ask.feedback.trim().split('\n')[0]?.slice(0, 80) ?? ''}`
    case 'fix':
      return `mend ${ask.check.name}`
    case 'goOn':
      return turnName(step, ask.asked)
  }
}
