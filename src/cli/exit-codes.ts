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

/** Those that end with `failed` are the job's own, or the stack's. */
const BY_FAILURE: Record<CliFailureType, ExitCode> = {
  Usage: EXIT.badInput,
  StackFailed: EXIT.failed,
  Interrupted: EXIT.interrupted,
  InvalidSpec: EXIT.badInput,
  SpecConflict: EXIT.refused,
  InvalidQuery: EXIT.badInput,
  SettingsInvalid: EXIT.badInput,
  JobNotFound: EXIT.notFound,
  NotWaitingForReview: EXIT.refused,
  NotWaitingForTool: EXIT.refused,
  SecretMissing: EXIT.failed,
  SecretForbidden: EXIT.failed,
  RepositoryNotFound: EXIT.failed,
  GitAuthenticationFailed: EXIT.failed,
  BaseNotFound: EXIT.failed,
  BranchExists: EXIT.failed,
  NothingToCommit: EXIT.failed,
  PatchRejected: EXIT.failed,
  PushNotFastForward: EXIT.failed,
  PushHookRejected: EXIT.failed,
  PushForbidden: EXIT.failed,
  GitFailed: EXIT.failed,
  GitHostUnreachable: EXIT.failed,
  StepFailed: EXIT.failed,
  CheckFailed: EXIT.failed,
  GuardBreached: EXIT.failed,
  AgentNotInstalled: EXIT.failed,
  AgentFailed: EXIT.failed,
  AgentStuck: EXIT.failed,
  ModelUnavailable: EXIT.failed,
  ModelFailed: EXIT.failed,
  ModelRefused: EXIT.failed,
  ModelStuck: EXIT.failed,
  LimitReached: EXIT.failed,
  OutcomeUnknown: EXIT.failed,
  SandboxUnreachable: EXIT.failed,
  SandboxBusy: EXIT.failed,
  SandboxRateLimited: EXIT.failed,
  SandboxGone: EXIT.failed,
  SandboxDiverged: EXIT.failed,
  SandboxNoSpace: EXIT.failed,
  SandboxAuthenticationFailed: EXIT.failed,
  SandboxInvalidArgument: EXIT.failed,
  SessionNotFound: EXIT.notFound,
  SessionTurning: EXIT.failed,
  SandboxClosed: EXIT.refused,
  FileNotFound: EXIT.notFound,
  TooLarge: EXIT.failed,
  BlobMissing: EXIT.failed,
  BlobStoreUnavailable: EXIT.failed,
  BaseCommitGone: EXIT.failed,
  RestoreDiverged: EXIT.failed,
  PayloadKeysInvalid: EXIT.badInput,
  PayloadKeyMissing: EXIT.failed,
  PayloadUnreadable: EXIT.failed,
  JobCancelled: EXIT.cancelled,
  JobTerminated: EXIT.cancelled,
  TimedOut: EXIT.failed,
  InternalError: EXIT.defect,
  WorkerStopping: EXIT.unreachable,
  NoWorker: EXIT.unreachable,
  ServerUnreachable: EXIT.unreachable,
}

export const exitCodeOfFailure = (type: CliFailureType): ExitCode => BY_FAILURE[type]

export const exitCodeOfOutcome = (outcome: JobResult['outcome']): ExitCode =>
  outcome === 'rejected' ? EXIT.rejected : EXIT.ok

const MEANING: Record<keyof typeof EXIT, string> = {
  ok: 'done; of watch: the job completed. session run ends with the exit code of the command',
  failed: 'the job failed; of up: a part of the stack could not be started or kept running',
  badInput: 'bad input, settings or usage',
  rejected: 'the reviewer rejected the work',
  notFound: 'there is no such job, session or file',
  unreachable: 'no Temporal server, or no worker, answers',
  cancelled: 'the job was cancelled or terminated',
  refused:
    "the job's state does not allow it (it waits for no such answer, id taken by another spec, session closed)",
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
