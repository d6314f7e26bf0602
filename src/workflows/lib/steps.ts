import { type CommandResult, type DiffSummary, type StepReport, stepName } from '../../contract/job.ts'
import { outputText } from '../../contract/output.ts'
import type { AgentJobSpec, CommandStep, SleepStep, Step, WaitStep } from '../../contract/spec.ts'
import { perform } from './activities.ts'
import { jobFailure } from './failures.ts'
import type { Journal } from './journal.ts'
import type { NextRun } from './next-run.ts'
import type { Cursor } from './place.ts'
import { type AskedStep, isAsked, type Turns } from './turns.ts'
import type { Waits } from './waits.ts'
import type { Workspace } from './workspace.ts'

/** The last feedback, for the steps that run again after a request for changes. */
export interface Feedback {
  round: number
  text: string
  /** What somebody has looked at. */
  changes: DiffSummary | null
}

/** What steps work with. */
export interface StepsOf {
  journal: Journal
  workspace: Workspace
  waits: Waits
  turns: Turns
  nextRun: NextRun
  spec: AgentJobSpec
}

/**
 * Runs steps, from the next one on.
 *
 * @throws `StepFailed` at the first that exits with anything but 0
 */
export async function runSteps(
  { journal, workspace, waits, turns, nextRun, spec }: StepsOf,
  steps: Step[],
  cursor: Cursor,
  feedback?: Feedback,
): Promise<void> {
  for (; cursor.next < steps.length; cursor.next++) {
    await nextRun.ifDue()
    const step = steps[cursor.next]!
    if ('sleep' in step || 'waitFor' in step) {
      await waits.run(step)
      continue
    }
    if (isAsked(step)) {
      if (!(await turns.goOn(step))) await turns.take(spec, step, turns.askOf(step, feedback))
      continue
    }
    const kind = 'run' in step ? 'run' : 'write' in step ? 'write' : 'patch'
    const report = await inJournal(journal, kind, stepName(step), () =>
      runStep(
        workspace,
        step,
        { patchId: `${journal.round}-${cursor.next}`, output: journal.outputName },
        feedback,
      ),
    )
    if (report.exitCode !== 0) throw commandFailure('StepFailed', report)
  }
}

function runStep(
  workspace: Workspace,
  step: Exclude<Step, SleepStep | WaitStep | AskedStep>,
  { patchId, output }: { patchId: string; output: string },
  feedback?: Feedback,
): Promise<CommandResult> {
  if ('run' in step) return runCommand(workspace, step, 'run', output, feedback)
  if ('write' in step) {
    const { write: path, content, executable } = step
    return workspace.change(path, (target) =>
      perform('writeFile', `write: ${path}`, { ...target, path, content, executable }),
    )
  }
  const { patch } = step
  return workspace.change(stepName(step), (target) =>
    perform('applyPatch', stepName(step), { ...target, patch, patchId }),
  )
}

export function runCommand(
  workspace: Workspace,
  step: CommandStep,
  kind: string,
  output: string,
  feedback?: Feedback,
): Promise<CommandResult> {
  const name = stepName(step)
  return workspace.run(step, name, {
    summary: `${kind}: ${name}`,
    output,
    script: step.run,
    cwd: step.cwd,
    envs: {
      ...step.envs,
      ...(feedback && { HOLDFAST_FEEDBACK: feedback.text, HOLDFAST_ROUND: String(feedback.round) }),
    },
    timeoutMs: step.timeout,
  })
}

export async function inJournal(
  journal: Journal,
  kind: StepReport['kind'],
  name: string,
  work: () => Promise<CommandResult>,
): Promise<StepReport & { output: string }> {
  journal.startStep(kind, name)
  const result = await work()
  const ms = result.finishedAt - result.startedAt
  const output = outputOf(result)
  const done = { kind, name, round: journal.round, ms, exitCode: result.exitCode }
  const report = journal.finishStep(done, output.slice(-2_000))
  return { ...report, output }
}

const outputOf = ({ stdout, stderr }: CommandResult): string =>
  [stdout, stderr].map(outputText).filter(Boolean).join('\n')

export const commandFailure = (
  type: 'StepFailed' | 'CheckFailed',
  { name, exitCode, output }: StepReport & { output: string },
) =>
  jobFailure(
    type,
    exitCode === 124 ? `"${name}" ran into its timeout` : `"${name}" exited with ${exitCode}`,
    output,
  )
