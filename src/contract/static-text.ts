import ms from 'ms'
import { stepName } from './job.ts'
import { code, text } from './markdown.ts'
import type { ReaperInput } from './sandboxes.ts'
import type { AgentJobSpec } from './spec.ts'

/** Temporal takes 20 KB; so many lines of each list are enough to know a job by. */
const MAX_LINES = 30

interface StaticText {
  staticSummary: string
  staticDetails: string
}

/** What a job was asked to do, for the Temporal UI. */
export function jobText({ repo, branch, steps, checks, review, commit, push }: AgentJobSpec): StaticText {
  const until = review?.required && `wait for a review, at most ${ms(review.timeout, { long: true })}`
  const lines = [
    `In ${text(repo.url)}, from ${code(repo.base)} on branch ${code(branch)}:`,
    '',
    ...list(
      '',
      steps.map((step) => code(stepName(step))),
    ),
    ...list(
      'check: ',
      checks.map((check) => code(stepName(check))),
    ),
    ...list(
      '',
      [until, commit && `commit: ${text(commit.message.split('\n')[0]!)}`, push && 'push'].filter(isText),
    ),
    '',
    'How far it is: under _Current Details_, while a worker runs.',
  ]
  return { staticSummary: `${branch} of ${repo.url}`.slice(0, 200), staticDetails: lines.join('\n') }
}

export const reaperText = ({ dryRun }: ReaperInput): StaticText => ({
  staticSummary: dryRun ? 'look for sandboxes without an owner' : 'kill sandboxes without an owner',
  staticDetails:
    "Joins E2B's list of this deployment's sandboxes with the workflows that own them; " +
    (dryRun ? 'a dry run: nothing is killed.' : 'what has no owner any more is killed.'),
})

/** @param names markdown already */
function list(prefix: string, names: string[]): string[] {
  const left = names.length - MAX_LINES
  const lines = names.slice(0, MAX_LINES).map((name) => `- ${prefix}${name}`)
  return left > 0 ? [...lines, `- ${prefix}${left} more`] : lines
}

const isText = (value: unknown): value is string => typeof value === 'string'
