import type { JobEvent } from '../../src/index.ts'
import type { Effect } from './effects.ts'
import { commandName, DISK_FULL, type Ran } from './run-job.ts'

/** What was found of one job after its end. */
export interface Findings extends Ran {
  effects: Effect[]
  /** The job's branch on the remote: undefined where there is none. */
  remote: { head: string; jobCommits: number; effectsLog: string[] } | undefined
}

export interface Verdict {
  completed: number
  failedTyped: number
  failedBy: Record<string, number>
  hung: number
  commandsRunTwice: number
  outcomeUnknown: number
  commitsLost: number
  commitsDoubled: number
  idleRunningMs: number
  /** Sandboxes that were replaced by another one with the work restored. */
  restored: number
  /** What is wrong, in words. */
  problems: string[]
}

/** Judges a run by what is true outside of it: the remote, the counter, the events. */
export function verdictOn(all: Findings[]): Verdict {
  const verdict: Verdict = {
    completed: 0,
    failedTyped: 0,
    failedBy: {},
    hung: 0,
    commandsRunTwice: 0,
    outcomeUnknown: 0,
    commitsLost: 0,
    commitsDoubled: 0,
    idleRunningMs: 0,
    restored: 0,
    problems: [],
  }
  for (const found of all) judge(found, verdict)
  return verdict
}

function judge(found: Findings, verdict: Verdict): void {
  const { id, end, remote, events } = found
  const problem = (text: string): void => void verdict.problems.push(`${id}: ${text}`)
  const twice = ranTwice(found)
  twice.forEach((command) => problem(`${command} ran twice: ${story(found, command)}`))
  verdict.commandsRunTwice += twice.length
  if (remote && remote.jobCommits > 1) {
    verdict.commitsDoubled++
    problem(`its commit is on the remote ${remote.jobCommits} times`)
  }
  if (events.some(({ seq }, index) => seq !== index)) problem('its events are not numbered one by one')
  verdict.idleRunningMs += idleRunningMs(events)
  verdict.restored += events.filter(({ type }) => type === 'sandboxRestored').length
  if (end.kind === 'hung') {
    verdict.hung++
    problem(`hangs after ${events.at(-1)?.type ?? 'nothing'}`)
  } else if (end.kind === 'failed') {
    verdict.failedBy[end.type] = (verdict.failedBy[end.type] ?? 0) + 1
    if (end.type === 'OutcomeUnknown') verdict.outcomeUnknown++
    else if (diskWasFull(end)) verdict.failedTyped++
    else problem(`fails with ${end.type}: ${end.message}`)
  } else {
    verdict.completed++
    const lost = lostWork(found)
    if (lost) {
      verdict.commitsLost++
      problem(lost)
    }
  }
}

/** The ends that a fault explains; any other is a defect. */
const diskWasFull = ({ type, message }: { type: string; message: string }): boolean =>
  type === 'SandboxNoSpace' || (type === 'StepFailed' && message.endsWith(`exited with ${DISK_FULL}`))

/** Commands that ran more often than they may: at most once in a sandbox, and those that say `never` once in all. */
function ranTwice({ plan, effects, remote }: Findings): string[] {
  const found = new Set<string>()
  const once = new Set<string>()
  for (const { command, sandboxId } of effects) {
    const index = /^c(\d+)-/.exec(command)?.[1]
    const step = index === undefined ? undefined : plan.steps[Number(index)]
    const never = step?.kind === 'command' && step.rerun === 'never'
    const place = never ? command : `${command} ${sandboxId}`
    if (once.has(place)) found.add(command)
    once.add(place)
  }
  const lines = remote?.effectsLog ?? []
  for (const line of lines) if (lines.indexOf(line) !== lines.lastIndexOf(line)) found.add(line)
  return [...found]
}

/** What happened when, for whoever looks into it. */
function story({ effects, events }: Findings, name: string): string {
  const runs = effects.filter(({ command }) => command === name)
  return [
    ...runs.map(({ at, sandboxId }) => ({ at, text: `it runs in ${sandboxId}` })),
    ...events.map(({ at, ...event }) => ({ at, text: JSON.stringify(event).slice(0, 200) })),
  ]
    .toSorted((a, b) => a.at - b.at)
    .map(({ at, text }) => `\n  ${new Date(at).toISOString()} ${text}`)
    .join('')
}

/** What a completed job should have left and has not, in words. */
function lostWork({ plan, end, remote }: Findings): string | undefined {
  if (end.kind !== 'completed') return undefined
  const { outcome, commit } = end.result
  if (outcome === 'rejected') return remote && 'was rejected, and is on the remote'
  if (!remote) return 'is completed, and not on the remote'
  if (remote.head !== commit) return `says ${commit}, and the remote has ${remote.head}`
  if (remote.jobCommits < 1) return 'its commit is not on the branch'
  const rounds = plan.answers.filter(({ decision }) => decision === 'requestChanges').length + 1
  const commands = plan.steps.flatMap((step, index) => (step.kind === 'command' ? [commandName(index)] : []))
  const expected = Array.from({ length: rounds }, (_, round) =>
    commands.map((name) => `${name}-${round + 1}`),
  ).flat()
  const missing = expected.find((line) => !remote.effectsLog.includes(line))
  return missing && `the work of ${missing} is not in its commit`
}

/** How long the sandbox ran while the job waited for people. */
function idleRunningMs(events: JobEvent[]): number {
  let total = 0
  let runningSince: number | undefined
  let waiting = false
  for (const event of events) {
    if (waiting && runningSince !== undefined) {
      total += event.at - runningSince
      runningSince = event.at
    }
    if (event.type === 'sandboxCreated' || event.type === 'sandboxResumed') runningSince = event.at
    if (event.type === 'sandboxPaused' || event.type === 'sandboxKilled') runningSince = undefined
    if (event.type === 'reviewRequested') {
      waiting = true
      runningSince &&= event.at
    }
    if (event.type === 'reviewAnswered') waiting = false
  }
  return total
}
