import { defineSearchAttributeKey, type SearchAttributePair } from '@temporalio/common'

/** The columns of jobs and sessions in Temporal's list, as search attributes. Eight of the ten keywords that an SQL server has room for. */
export const SEARCH_ATTRIBUTES = {
  repo: defineSearchAttributeKey('HoldfastRepo', 'KEYWORD'),
  branch: defineSearchAttributeKey('HoldfastBranch', 'KEYWORD'),
  phase: defineSearchAttributeKey('HoldfastPhase', 'KEYWORD'),
  waitingFor: defineSearchAttributeKey('HoldfastWaitingFor', 'KEYWORD'),
  sandboxId: defineSearchAttributeKey('HoldfastSandboxId', 'KEYWORD'),
  sandboxState: defineSearchAttributeKey('HoldfastSandboxState', 'KEYWORD'),
  owner: defineSearchAttributeKey('HoldfastOwner', 'KEYWORD'),
  outcome: defineSearchAttributeKey('HoldfastOutcome', 'KEYWORD'),
  reviewNeeded: defineSearchAttributeKey('HoldfastReviewNeeded', 'BOOL'),
  costUsd: defineSearchAttributeKey('HoldfastCostUsd', 'DOUBLE'),
} as const

export interface Columns {
  repo: string
  branch: string
  phase: string
  /** `nothing`, `review`, `timer`, `notification NAME`, `outage FAILURE`. */
  waitingFor: string
  sandboxId: string
  sandboxState: string
  /** The deployment whose worker runs the job, or made the session's sandbox. */
  owner: string
  /** `open` until the end; then `completed`, `rejected`, `cancelled`, or the failure's type. */
  outcome: string
  /** A person's answer is waited for now. */
  reviewNeeded: boolean
  costUsd: number
}

/** What a job shows from its start. All columns, because a workflow upserts only those that its start carried. */
export const columnsAtStart = (spec: { repo: { url: string }; branch: string }): Columns => ({
  repo: spec.repo.url,
  branch: spec.branch,
  phase: 'prepare',
  waitingFor: 'nothing',
  sandboxId: 'none',
  sandboxState: 'none',
  owner: 'none',
  outcome: 'open',
  reviewNeeded: false,
  costUsd: 0,
})

/** A session's share of them. */
export type SessionColumns = Pick<Columns, 'sandboxId' | 'sandboxState' | 'owner'>

export const SESSION_COLUMNS_AT_START: SessionColumns = {
  sandboxId: 'none',
  sandboxState: 'none',
  owner: 'none',
}

/** Longer keywords don't fit into an SQL server's columns. */
const MAX_KEYWORD = 255

/** As Temporal takes them, at a start and in an upsert. */
export const asPairs = (columns: Partial<Columns>) =>
  Object.entries(columns).map(([name, value]) => ({
    key: SEARCH_ATTRIBUTES[name as keyof Columns],
    value: typeof value === 'string' ? value.slice(0, MAX_KEYWORD) : value,
  })) as SearchAttributePair[]
