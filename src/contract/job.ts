import ms from 'ms'
import type { AgentReport } from './agents/report.ts'
import type { Cost, SandboxTime } from './cost.ts'
import type { FailureReport } from './failures.ts'
import type { Breach } from './guards.ts'
import type { CommandStep, Step } from './spec.ts'

/** Workflow types, as the Temporal UI shows them. */
export const WORKFLOW_TYPES = {
  agentJob: 'agentJob',
  /** Of a job's later runs: a worker of an earlier version, which would do the job from its beginning, leaves it to others. */
  agentJobContinued: 'agentJobContinued',
  sandboxReaper: 'sandboxReaper',
  sandboxSession: 'sandboxSession',
} as const

/** Of Temporal's list, the newest run of each job. */
export const JOBS_FILTER = `WorkflowType IN ("${WORKFLOW_TYPES.agentJob}", "${WORKFLOW_TYPES.agentJobContinued}") AND ExecutionStatus != "ContinuedAsNew"`

export const DEFAULT_TASK_QUEUE = 'holdfast'

/** Whose sandboxes and blobs are those of a deployment that has no name. */
export const DEFAULT_OWNER = 'holdfast'

/** Memo key that holds the fingerprint of the spec, so that a second submit can tell "the same" from "another". */
export const SPEC_HASH_MEMO = 'holdfastSpecHash'

/** Of a job that isn't done, in order. */
export const OPEN_PHASES = [
  'prepare',
  'clone',
  'steps',
  'checks',
  'review',
  'commit',
  'push',
  'cleanUp',
] as const

export type Phase = (typeof OPEN_PHASES)[number] | 'done'

/** Memo key, from the second run of the workflow on, of when the job was submitted, in ms since the epoch. */
export const SUBMITTED_AT_MEMO = 'holdfastSubmittedAt'

/** How a durable command ended. Sizes in bytes, times in ms since the epoch, by the sandbox's clock. */
export interface CommandResult {
  commandId: string
  /** 124 when it ran into its timeout; 128 + n when ended by signal n. */
  exitCode: number
  timedOut: boolean
  stdout: BoundedOutput
  stderr: BoundedOutput
  startedAt: number
  finishedAt: number
}

/** Head and tail of an output; `tail` is empty where `head` is all of it. */
export interface BoundedOutput {
  head: string
  tail: string
  /** Size of the whole output in the sandbox. */
  bytes: number
}

/** What a running command's heartbeat tells. */
export interface CommandHeartbeat {
  commandId: string
  stdoutBytes: number
  stderrBytes: number
  /** The newest output, at most 4 KB. */
  recent: string
}

export interface DiffSummary {
  files: number
  insertions: number
  deletions: number
  /** The diff, cut at 200 KB. */
  text: string
  truncated: boolean
}

export interface StepReport {
  /** Counts from 0, over all rounds. */
  step: number
  kind: 'run' | 'write' | 'patch' | 'agent' | 'llm' | 'sleep' | 'waitFor' | 'check'
  name: string
  round: number
  ms: number
  exitCode: number
}

/** A person's answer, or the timeout's; `by` is then `timeout`. */
export type Review =
  | { decision: 'approve'; by: string; comment?: string }
  | { decision: 'reject'; by: string; reason?: string }
  | { decision: 'requestChanges'; by: string; feedback: string }

/** The answer as it arrives: a request for changes may bring the steps to run. */
export type ReviewAnswer = Review & { steps?: Step[] }

/** What happened, in order. `seq` counts from 0 without gaps; `at` is ms since the epoch. */
export type JobEvent = { seq: number; at: number } & JobEventBody
export type JobEventBody =
  | { type: 'phase'; phase: Phase }
  | {
      type: 'sandboxCreated' | 'sandboxPaused' | 'sandboxResumed' | 'sandboxKilled' | 'sandboxKept'
      sandboxId: string
      ms: number
    }
  | { type: 'resumeVerified'; head: string }
  | { type: 'checkpointed'; head: string; bytes: number }
  | { type: 'sandboxLost'; sandboxId: string | null; failure: FailureReport }
  | { type: 'sandboxRestored'; sandboxId: string; head: string; ms: number }
  | { type: 'outage'; failure: FailureReport; retryAt: number }
  | { type: 'outageOver'; ms: number }
  /** `agent` is whose turn it is, of those that have a name. */
  | ({ type: 'stepStarted'; agent?: string } & Pick<StepReport, 'step' | 'kind' | 'name' | 'round'>)
  | ({ type: 'stepFinished'; output: string } & StepReport)
  /** A turn of an agent; `resumed` says whether it went on with its conversation. */
  | ({ type: 'agentTurn'; step: number; resumed: boolean } & AgentReport)
  /** A call of a tool by a model, and what came of it. */
  | { type: 'toolUsed'; step: number; summary: string; ok: boolean }
  | { type: 'toolAnswered'; summary: string; allowed: boolean; by: string }
  /** A turn of a model ended: what it says of it. */
  | {
      type: 'modelTurn'
      step: number
      message: string
      turns: number
      usage: { inputTokens: number; outputTokens: number }
    }
  /** The sandbox with the agent's conversation was lost, and it was not saved: it starts anew, from the work so far. */
  | { type: 'conversationLost'; name: string; why: string }
  | { type: 'fixing'; check: string; attempt: number }
  | { type: 'guardsBreached'; breaches: Breach[] }
  | {
      type: 'reviewRequested'
      round: number
      files: number
      insertions: number
      deletions: number
      until: number
    }
  | { type: 'reviewAnswered'; review: Review }
  /** An answer by signal that was none. */
  | { type: 'reviewRefused'; why: string }
  | { type: 'waitBegan'; for: string; until: number }
  | { type: 'waitEnded'; for: string; timedOut: boolean }
  | { type: 'committed'; commit: string }
  | { type: 'pushed'; branch: string; remoteHead: string }
  | { type: 'failed' | 'cleanUpFailed'; failure: FailureReport }
  | { type: 'cancelled' }

export interface EventPage {
  events: JobEvent[]
  /** Ask from here next. */
  next: number
}

export interface SandboxUse {
  sandboxId: string | null
  state: 'none' | 'running' | 'paused' | 'killed'
  /** Time spent running and paused so far, in ms. */
  runningMs: number
  pausedMs: number
  pauses: number
  resumes: number
  /** The same time by the size of sandbox. */
  sizes: SandboxTime[]
  /** Where its preview is reached, if the spec asks for one. */
  previewUrl?: string
}

/** What a job waits for. Times in ms since the epoch. */
export type WaitingFor =
  | { kind: 'review'; since: number; until: number; answerWith: string; breaches?: Breach[] }
  /**
   * A call of a tool that a person has to allow; `call` names it and what it does. `asked` is its whole input, as YAML without secrets,
   * a long one without its middle; workers of an earlier version don't say.
   */
  | {
      kind: 'tool'
      call: string
      summary: string
      asked?: string
      since: number
      until: number
      answerWith: string
    }
  | { kind: 'timer'; since: number; until: number }
  | { kind: 'notification'; name: string; since: number; until: number; answerWith: string }
  /** Something that is unreachable; `until` is when it is tried again. */
  | { kind: 'outage'; since: number; until: number; failure: FailureReport }

export interface JobStatus {
  id: string
  /** The workflow's first: a long job goes on in others. Workers of an earlier version don't say, and know of one only. */
  firstRunId?: string
  phase: Phase
  round: number
  /** What runs now, in words. */
  current: string | null
  waitingFor: WaitingFor | null
  sandbox: SandboxUse
  branch: string
  commit: string | null
  steps: StepReport[]
  /** So far. */
  cost: Cost
}

export interface JobResult {
  outcome: 'completed' | 'rejected'
  branch: string
  base: string
  /** The base's commit that the job started from. */
  baseCommit: string
  commit: string | null
  /** What the remote's branch pointed to after the push. */
  remoteHead: string | null
  diff: Omit<DiffSummary, 'text'>
  checks: StepReport[]
  review: Review | null
  sandbox: SandboxUse
  cost: Cost
}

/** Label of a step for people. */
export function stepName(step: Step | CommandStep): string {
  if (step.name) return step.name
  if ('agent' in step || 'llm' in step) return firstLine(step.prompt)
  if ('write' in step) return `write ${step.write}`
  if ('patch' in step) return `patch ${patchedFiles(step.patch)}`
  if ('sleep' in step) return `sleep ${ms(step.sleep, { long: true })}`
  if ('waitFor' in step) return `wait for ${step.waitFor}`
  return firstLine(step.run)
}

function firstLine(text: string): string {
  const line = text.trim().split('\n')[0] ?? ''
  return line.length > 80 ? `${line.slice(0, 79)}…` : line
}

function patchedFiles(patch: string): string {
  const files = [...patch.matchAll(/^\+\+\+ (?:b\/)?(.+)$/gm)].map((match) => match[1]?.trim() ?? '')
  return files.length > 2 ? `${files[0]} and ${files.length - 1} more` : files.join(', ')
}
