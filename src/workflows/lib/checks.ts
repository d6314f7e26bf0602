import { type StepReport, stepName } from '../../contract/job.ts'
import type { CommandStep } from '../../contract/spec.ts'
import type { Journal } from './journal.ts'
import type { ChecksPlace, Cursor } from './place.ts'
import { printOf } from './prompt.ts'
import { commandFailure, inJournal, runCommand, type StepsOf } from './steps.ts'
import type { Workspace } from './workspace.ts'

/** A check that didn't pass. */
export type RedCheck = StepReport & { output: string }

/** Who mends red checks, and how often. */
export interface Fixer {
  attempts: number
  begin(red: RedCheck, attempt: number): Promise<void>
  /** Ends the turn, where an earlier run of the workflow began it, and runs the commands behind it. */
  finish(commands: Cursor): Promise<void>
}

/**
 * Runs the checks until all of them pass.
 *
 * @param fixer asked after a red one; not again where the very same failure is back
 * @throws `CheckFailed` at the first that exits with anything but 0, and isn't mended
 */
export async function passChecks(
  { journal, workspace, nextRun }: Pick<StepsOf, 'journal' | 'workspace' | 'nextRun'>,
  checks: CommandStep[],
  place: ChecksPlace,
  fixer?: Fixer,
): Promise<StepReport[]> {
  for (; ; place.attempt++) {
    if (!place.mending) {
      await nextRun.ifDue()
      if (checks.length > 0) journal.enter('checks')
      const { reports, red } = await runChecks(journal, workspace, checks)
      if (!red) return reports
      const print = printOf(red, red.output)
      if (!fixer || place.attempt > fixer.attempts || place.seen.includes(print))
        throw commandFailure('CheckFailed', red)
      place.seen.push(print)
      place.mending = { next: 0 }
      await fixer.begin(red, place.attempt)
    }
    await fixer?.finish(place.mending)
    delete place.mending
  }
}

async function runChecks(
  journal: Journal,
  workspace: Workspace,
  checks: CommandStep[],
): Promise<{ reports: StepReport[]; red?: RedCheck }> {
  const reports: StepReport[] = []
  for (const check of checks) {
    const { output, ...report } = await inJournal(journal, 'check', stepName(check), () =>
      runCommand(workspace, check, 'check', journal.outputName),
    )
    if (report.exitCode !== 0) return { reports, red: { output, ...report } }
    reports.push(report)
  }
  return { reports }
}
