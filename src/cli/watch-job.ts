import type { Job } from '../client/job.ts'
import { onInterrupt } from './abort.ts'
import type { Globals } from './base-program.ts'
import { answer, programOf } from './context.ts'
import { CliError, reportError } from './errors.ts'
import { EXIT, exitCodeOfFailure, exitCodeOfOutcome } from './exit-codes.ts'
import { followJob, type ProgressSink } from './follow.ts'
import { createProgress, type Progress } from './progress.ts'
import { formatResult } from './status-text.ts'
import { colorsFor, hasColors, print, printNote } from './terminal.ts'

/**
 * Shows a job until it ends: progress on stderr and the result on stdout, or with --json one event a line and the
 * result as the last. Sets the exit code by the outcome. Ctrl-C stops the watching only.
 *
 * @param from the first event to show
 * @throws CliError `Interrupted`; the failure of the job, where its progress hasn't shown it
 */
export async function watchJob(globals: Globals, job: Job, from: number): Promise<void> {
  const progress = globals.json ? undefined : progressOf(globals, job, from)
  const interrupt = onInterrupt(EXIT.interrupted)
  try {
    // The progress takes in the events before `from` too: without them it knows no durations.
    const { next, ended } = progress
      ? await followJob(job, progress, { signal: interrupt.signal })
      : await followJob(job, JSON_LINES, { from, signal: interrupt.signal })
    if (!ended) throw interrupted(globals, job.id, Math.max(next, from))
  } finally {
    interrupt.release()
  }
  await showResult(globals, job, progress)
}

async function showResult(globals: Globals, job: Job, progress: Progress | undefined): Promise<void> {
  try {
    const result = await job.result()
    answer(globals, result, () => formatResult(result, colorsFor(process.stdout)))
    process.exitCode = exitCodeOfOutcome(result.outcome)
  } catch (error) {
    if (!progress?.failureShown) throw error
    process.exitCode = exitCodeOfFailure(reportError(error).type)
  }
}

const progressOf = (globals: Globals, job: Job, from: number): Progress =>
  createProgress({
    write: printNote,
    color: hasColors(process.stderr),
    jobId: job.id,
    program: programOf(globals),
    from,
  })

const JSON_LINES: ProgressSink = {
  event: (event) => print(JSON.stringify(event)),
  agent: (event) => print(JSON.stringify(event)),
  notice: printNote,
}

const interrupted = (globals: Globals, id: string, next: number): CliError =>
  new CliError('Interrupted', 'stopped watching; the job goes on', {
    remedy: `watch it again with: ${programOf(globals)} watch ${id} --from ${next}`,
  })
