import type { SandboxTime } from './cost.ts'
import type { SandboxUse } from './job.ts'
import type { FinishedCommand } from './operations/records.ts'
import type { SessionSpec } from './session-spec.ts'

/** A sandbox that a workflow holds, as it goes from one run to the next. */
export interface LeaseState {
  allocationId: string
  /** How many sandboxes there have been. */
  sandboxes: number
  sandboxId: string | null
  cpuCount: number
  memoryMb: number
  /** The deployment whose worker made the sandbox; empty before, and where an earlier version made it. */
  owner?: string
  previewUrl?: string | undefined
  state: SandboxUse['state']
  /** ms since the epoch. */
  since: number
  /** Until then. */
  sizes: SandboxTime[]
  pauses: number
  resumes: number
}

/** Memo key, from the second run of the workflow on, of when the session was opened, in ms since the epoch. */
export const OPENED_AT_MEMO = 'holdfastOpenedAt'

/** What one run of a session leaves to the next. */
export interface SessionRun {
  lease: LeaseState
  /** Of which every command's key is a part: the same in all runs. */
  scope: string
  openedAt: number
  operations: number
  runs: number
  /** Until then it isn't idle, in ms since the epoch. */
  heldUntil?: number
  /** Commands whose records are in the sandbox still, by their user, those that ended first at the front; none in runs of an earlier version. */
  finished?: Record<string, FinishedCommand[]>
  /** What forks of the sandbox gave; none in runs of an earlier version. */
  forks?: string[]
  /** Of requests that must not be done again; none in runs of an earlier version. */
  answers?: Answer[]
  /** Ids of batches that were taken; none in runs of an earlier version. */
  batches?: string[]
}

/** What a request was answered, by its update's id. */
export interface Answer {
  requestId: string
  result: unknown
}

/** Keeps a session's sandbox from being paused as idle for `ms`, at most 10 minutes; a renewal resumes no paused one. */
export interface Hold {
  ms: number
  renew?: boolean
}

export interface Held {
  sandboxId: string
  /** `paused` where a renewal came too late, or somebody has paused it. */
  state: 'running' | 'paused'
}

/** The argument of the `sandboxSession` workflow. */
export interface SessionArgs {
  spec: SessionSpec
  /** Absent in the first run. */
  earlier?: SessionRun
  /** A snapshot that was made for this session only, and goes with it. */
  snapshotId?: string
}

export interface SessionStatus {
  id: string
  /** `lost`: E2B has proved that the sandbox is gone; only `close` is left. */
  state: 'opening' | 'running' | 'paused' | 'lost' | 'closing'
  sandbox: SandboxUse
  /** Operations that run now. */
  inUse: number
  /** Operations so far. */
  operations: number
  /** Runs of the workflow so far: it continues as new before its history grows long. */
  runs: number
  openedAt: number
  usedAt: number
  idleTimeout: number
}

/**
 * Names a session for other workflows and programs. Whoever attaches by it uses the session, and doesn't own it.
 */
export interface SessionReference {
  version: 1
  id: string
}
