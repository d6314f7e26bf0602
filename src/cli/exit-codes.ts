import type { FailureType } from '../contract/failures.ts'
import type { JobResult } from '../contract/job.ts'

/** What the exit codes of `holdfast` mean; the numbers are part of its interface. */
export const EXIT = {
  ok: 0,
  failed: 1,
  badInput: 2,
  rejected: 3,
  notFound: 4,
  unreachable: 5,
  cancelled: 6,
  refused: 7,
  defect: 70,
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** A failure of Holdfast, or one that only the command line has. */
export type CliFailureType = FailureType | 'Usage' | 'StackFailed' | 'Interrupted'

/** Every other failure is the job's own, or the stack's. */
const BY_FAILURE: Partial<Record<CliFailureType, ExitCode>> = {
  Usage: EXIT.badInput,
  InvalidSpec: EXIT.badInput,
  JobNotFound: EXIT.notFound,
  SessionNotFound: EXIT.notFound,
  FileNotFound: EXIT.notFound,
  ServerUnreachable: EXIT.unreachable,
  JobCancelled: EXIT.cancelled,
  JobTerminated: EXIT.cancelled,
  SpecConflict: EXIT.refused,
  NotWaitingForReview: EXIT.refused,
  SandboxClosed: EXIT.refused,
  InternalError: EXIT.defect,
  Interrupted: EXIT.interrupted,
}

export const exitCodeOfFailure = (type: CliFailureType): ExitCode => BY_FAILURE[type] ?? EXIT.failed

export const exitCodeOfOutcome = (outcome: JobResult['outcome']): ExitCode =>
  outcome === 'rejected' ? EXIT.rejected : EXIT.ok

const MEANING: Record<keyof typeof EXIT, string> = {
  ok: 'done; of watch: the job completed. session run ends with the exit code of the command',
  failed: 'the job failed; of up: a part of the stack could not be started or kept running',
  badInput: 'bad input or usage',
  rejected: 'the reviewer rejected the work',
  notFound: 'there is no such job, session or file',
  unreachable: 'no Temporal server, or no worker, answers',
  cancelled: 'the job was cancelled or terminated',
  refused: "the job's state does not allow it (not in review, id taken by another spec, session closed)",
  defect: 'a defect of Holdfast',
  interrupted: 'interrupted by Ctrl-C; a job goes on, the command of session run is ended',
}

/** The table, for `holdfast --help`. */
export const exitCodeTable = (): string =>
  [
    'Exit codes:',
    ...Object.entries(EXIT).map(([name, code]) => row(code, MEANING[name as keyof typeof EXIT])),
  ].join('\n')

const row = (code: number, meaning: string): string => `  ${String(code).padEnd(4)} ${meaning}`
