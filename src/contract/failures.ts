/**
 * The closed list of failures. Each says what happens next: `retryable` ones are tried again by Temporal, `terminal`
 * ones end the activity, the update or the job at once. The name is the `type` of the Temporal ApplicationFailure.
 */
export const FAILURES = {
  // What the caller gave us
  InvalidSpec: { next: 'terminal', remedy: 'correct the named field and submit again' },
  SpecConflict: {
    next: 'terminal',
    remedy: 'use another id, or submit the very spec that this job was made from',
  },
  InvalidQuery: {
    next: 'terminal',
    remedy: 'correct the filter: Temporal\'s list filter, as in ExecutionStatus = "Running"',
  },
  SettingsInvalid: { next: 'terminal', remedy: 'correct the setting that the message names' },
  JobNotFound: {
    next: 'terminal',
    remedy: 'list the jobs to find its id; closed jobs go when the retention ends',
  },
  NotWaitingForReview: { next: 'terminal', remedy: 'ask for the status; answer once the phase is review' },
  NotWaitingForTool: { next: 'terminal', remedy: 'ask for the status; it names the call that waits' },
  SecretMissing: {
    next: 'terminal',
    remedy: 'give the worker the secret (HOLDFAST_SECRET_<NAME>) and submit again',
  },
  SecretForbidden: {
    next: 'terminal',
    remedy: 'name a secret that may be used there, or let `secrets.allow` of the workers allow this one',
  },
  // Git and its remote
  RepositoryNotFound: {
    next: 'terminal',
    remedy: 'check repo.url, and that the token may read the repository',
  },
  GitAuthenticationFailed: { next: 'terminal', remedy: 'check the secret that repo.auth names' },
  BaseNotFound: { next: 'terminal', remedy: 'check repo.base: it has to be a branch of the remote' },
  BranchExists: { next: 'terminal', remedy: 'choose another branch, or delete the one on the remote' },
  NothingToCommit: { next: 'terminal', remedy: 'the steps changed no file; look at their output' },
  PatchRejected: { next: 'terminal', remedy: 'make the patch against the base of the job' },
  PushNotFastForward: {
    next: 'terminal',
    remedy: 'the branch moved on the remote; submit again on another branch',
  },
  PushHookRejected: {
    next: 'terminal',
    remedy: "read the hook's message; the remote's rules refuse this commit",
  },
  PushForbidden: { next: 'terminal', remedy: 'give the token the right to push' },
  GitFailed: { next: 'terminal', remedy: "read git's message" },
  GitHostUnreachable: { next: 'retryable', remedy: 'check the network between the sandbox and the git host' },
  // Commands
  StepFailed: { next: 'terminal', remedy: "read the step's output; the sandbox is kept if `keep` says so" },
  CheckFailed: { next: 'terminal', remedy: "read the check's output; the sandbox is kept if `keep` says so" },
  GuardBreached: {
    next: 'terminal',
    remedy: 'look at what the message names; widen `guards`, or have a person decide by `onBreach: review`',
  },
  AgentNotInstalled: {
    next: 'terminal',
    remedy: 'use a template that has the agent (docs/agents.md says how to make one)',
  },
  AgentFailed: {
    next: 'terminal',
    remedy: "read the agent's last words; the sandbox is kept if `keep` says so",
  },
  AgentStuck: {
    next: 'terminal',
    remedy: "check the agent's endpoint and key, or raise `idleTimeout`, `timeout` or `maxToolCalls`",
  },
  ModelUnavailable: {
    next: 'retryable',
    remedy: "wait, or check the vendor's endpoint, its limits, and `callTimeout`",
  },
  ModelFailed: {
    next: 'terminal',
    remedy: "correct what the vendor's message names: key, model, or endpoint",
  },
  ModelRefused: { next: 'terminal', remedy: 'ask for something else, or another model' },
  ModelStuck: {
    next: 'terminal',
    remedy: 'read the transcript; split the task, or raise the bound that the message names',
  },
  LimitReached: {
    next: 'terminal',
    remedy:
      'raise the limit that the message names; the kept sandbox and the checkpoint have the work so far',
  },
  OutcomeUnknown: {
    next: 'terminal',
    remedy:
      'the command began and its end was not recorded: look at the sandbox, then decide; it is never run again by itself',
  },
  // The sandbox
  SandboxUnreachable: {
    next: 'retryable',
    remedy: 'check that the E2B endpoint is up; unreachable is not gone',
  },
  SandboxBusy: { next: 'retryable', remedy: 'wait: the sandbox is changing its state' },
  SandboxRateLimited: { next: 'retryable', remedy: 'wait, or ask E2B for a higher limit' },
  SandboxGone: {
    next: 'terminal',
    remedy: 'its sandboxes vanish again and again: look at who kills them, then submit again',
  },
  SandboxDiverged: {
    next: 'terminal',
    remedy: 'sandboxes come back with other files than they were paused with: tell E2B',
  },
  SandboxNoSpace: {
    next: 'terminal',
    remedy: "the sandbox's disk is full: use a template with a larger one",
  },
  SandboxAuthenticationFailed: { next: 'terminal', remedy: 'check E2B_API_KEY of the worker' },
  SandboxInvalidArgument: { next: 'terminal', remedy: 'correct what the message names' },
  SessionNotFound: { next: 'terminal', remedy: 'open the session first' },
  SessionTurning: { next: 'retryable', remedy: 'ask again in a moment, under the same update id' },
  SandboxClosed: { next: 'terminal', remedy: 'the session was closed: open another one' },
  FileNotFound: { next: 'terminal', remedy: 'check the path in the sandbox' },
  TooLarge: {
    next: 'terminal',
    remedy: 'take it in parts; one operation carries at most 1 MiB through Temporal',
  },
  // Checkpoints
  BlobMissing: {
    next: 'terminal',
    remedy:
      'all workers must share one blob store (HOLDFAST_BLOB_STORE), and nothing else may delete from it',
  },
  BlobStoreUnavailable: {
    next: 'retryable',
    remedy: 'check the blob store (HOLDFAST_BLOB_STORE): space, rights, network',
  },
  BaseCommitGone: {
    next: 'terminal',
    remedy:
      "the remote no longer has the base's commit that the work is made on: rebase the checkpoint by hand",
  },
  RestoreDiverged: {
    next: 'terminal',
    remedy:
      'look at the files that the checkpoint has: git makes something else of them now, by a filter or attribute perhaps',
  },
  // Payloads
  PayloadKeysInvalid: {
    next: 'terminal',
    remedy: 'correct HOLDFAST_ENCRYPTION_KEYS, or the file that HOLDFAST_ENCRYPTION_KEYS_FILE names',
  },
  PayloadKeyMissing: {
    next: 'retryable',
    remedy: 'add the key that the message names to HOLDFAST_ENCRYPTION_KEYS, behind the first one',
  },
  PayloadUnreadable: {
    next: 'retryable',
    remedy: 'give the key of that id as it was when the payload was written, to every worker and client',
  },
  // Holdfast's own
  JobCancelled: { next: 'terminal', remedy: 'nothing: somebody cancelled the job, and it has cleaned up' },
  JobTerminated: {
    next: 'terminal',
    remedy: 'nothing: somebody terminated the job; its sandbox pauses itself',
  },
  TimedOut: { next: 'terminal', remedy: 'look in the Temporal UI at the activity that ran out of time' },
  InternalError: {
    next: 'terminal',
    remedy: "this is a defect of Holdfast: report it with the workflow's history",
  },
  WorkerStopping: { next: 'retryable', remedy: 'nothing: another worker goes on from here' },
  NoWorker: {
    next: 'retryable',
    remedy: 'start a worker on the task queue of the job; what the job has done is kept',
  },
  ServerUnreachable: { next: 'retryable', remedy: 'start Temporal, or correct TEMPORAL_ADDRESS' },
} as const satisfies Record<string, { next: 'retryable' | 'terminal'; remedy: string }>

export type FailureType = keyof typeof FAILURES

export const isFailureType = (type: unknown): type is FailureType =>
  typeof type === 'string' && Object.hasOwn(FAILURES, type)

export const isTerminal = (type: FailureType): boolean => FAILURES[type].next === 'terminal'

/** What a failed job says of itself: type, words, and what to do. Carried as the failure's first detail. */
export interface FailureReport {
  type: FailureType
  message: string
  remedy: string
  /** Where the work is kept: the id of the paused sandbox, when `keep` asked for it. */
  keptSandboxId?: string
  /** The work so far, where there is any: git bundles in the blob store, to be fetched in this order. */
  checkpoint?: string[]
  /** The command's output, where a command failed. */
  output?: string
}
