import type { Tariff } from '../../contract/cost.ts'
import type { OwnerStatus } from '../../contract/sandboxes.ts'
import type { UseSessionInput } from '../sessions.ts'
import type { BlobStore } from '../../blobs/store.ts'
import type { E2B } from './e2b.ts'
import type { ByEgress } from './egress-headers.ts'
import type { ModelProviders } from './models.ts'
import type { SecretStore } from './secrets.ts'

/** What the activities need from the worker. */
export interface ActivityDeps {
  e2b: E2B
  secrets: SecretStore
  /** Whether credentials stay outside of sandboxes. */
  byEgress: ByEgress
  blobs: BlobStore
  /** Models that the worker knows by itself. */
  models: ModelProviders | undefined
  /** For the cost of jobs. */
  tariff: Tariff
  /** Written into each sandbox's metadata, so that nobody else's sandbox is ever taken for ours. */
  owner: string
  /** Temporal's namespace, in the metadata too: workflow ids are unique only there. */
  namespace: string
  /** Asks a session for an operation, by an update. @throws a failure of the closed list */
  askSession(request: UseSessionInput, cancellation: AbortSignal): Promise<unknown>
  /** Sends a signal to a workflow. */
  signal(execution: { workflowId: string; runId: string }, name: string, ...args: unknown[]): Promise<void>
  /** Asks Temporal how a workflow stands; with the run that made a sandbox, how the owner of that sandbox does. */
  ownerStatus(workflowId: string, runId?: string): Promise<OwnerStatus>
}

/** Where the repository is in every sandbox: a folder of E2B's default user. */
export const REPOSITORY = '/home/user/repo'
