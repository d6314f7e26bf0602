import type { AgentJobSpec } from './spec.ts'

/** Metadata keys by which a sandbox is known as ours, and whose. */
export const SANDBOX_METADATA = {
  owner: 'holdfastOwner',
  namespace: 'holdfastNamespace',
  allocation: 'holdfastAllocation',
  workflowId: 'holdfastWorkflowId',
  runId: 'holdfastRunId',
  keep: 'holdfastKeep',
} as const

/** What a sandbox is created from. Times in ms. */
export interface SandboxWish {
  /** Of E2B's, by name; E2B's own default if left out. */
  template?: string | undefined
  envs: Record<string, string>
  metadata?: Record<string, string>
  /** E2B pauses the sandbox when nothing has extended it for so long. */
  timeout: number
  allowInternetAccess?: boolean | undefined
  network?:
    | {
        allowOut?: string[] | undefined
        denyOut?: string[] | undefined
        allowPublicTraffic?: boolean | undefined
        maskRequestHost?: string | undefined
      }
    | undefined
  mcp?: Record<string, unknown> | undefined
  preview?: { port: number; autoResume: boolean } | undefined
  /** Whether it stays, paused, when its workflow has ended. */
  keep: Keep
}

export type Keep = AgentJobSpec['sandbox']['keep']

/** Temporal's status of the owner, or that it has no such run any more. */
export type OwnerStatus =
  | 'RUNNING'
  | 'COMPLETED'
  | 'FAILED'
  | 'CANCELLED'
  | 'TERMINATED'
  | 'TIMED_OUT'
  | 'CONTINUED_AS_NEW'
  | 'PAUSED'
  | 'UNKNOWN'
  | 'NOT_FOUND'

/** What becomes of a sandbox: `reap` is the only one that ends it. */
export type Fate = 'owned' | 'kept' | 'young' | 'reap'

/** A sandbox of this deployment, joined with its owner. */
export interface SandboxRow {
  sandboxId: string
  state: 'running' | 'paused'
  /** Since it was started or last resumed, in ms. */
  ageMs: number
  workflowId: string
  runId: string
  owner: OwnerStatus
  fate: Fate
}

/** Older than this, in ms, a sandbox without an owner is reaped: a create call may have outlived its answer for a while. */
export const REAPER_GRACE_MS = 10 * 60_000

/**
 * What becomes of a sandbox that carries our tags. An owner that Temporal can't tell the state of counts as alive:
 * only proof ends a sandbox.
 */
export function fateOf(sandbox: { owner: OwnerStatus; keep: Keep; ageMs: number }, graceMs: number): Fate {
  const { owner, keep, ageMs } = sandbox
  const closed = ['COMPLETED', 'FAILED', 'CANCELLED', 'TERMINATED', 'TIMED_OUT', 'NOT_FOUND'].includes(owner)
  if (!closed) return 'owned'
  if (keep === 'always') return 'kept'
  if (keep === 'on-failure' && (owner === 'FAILED' || owner === 'TIMED_OUT')) return 'kept'
  return ageMs < graceMs ? 'young' : 'reap'
}

export interface ReaperInput {
  /** Says what would happen, and ends nothing. */
  dryRun: boolean
  graceMs: number
}

/** At most 1,000 rows; `reaped` counts all. */
export interface ReaperReport {
  sandboxes: SandboxRow[]
  reaped: number
  /** Jobs whose checkpoints were deleted, or would be in a dry run. */
  pruned: number
}
