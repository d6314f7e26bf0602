import { heartbeat, sleep } from '@temporalio/activity'
import {
  fateOf,
  type Keep,
  type ReaperInput,
  type ReaperReport,
  SANDBOX_METADATA,
  type SandboxRow,
} from '../contract/sandboxes.ts'
import { deploymentFolder } from '../blobs/places.ts'
import { textOfKeyWord } from '../blobs/store.ts'
import type { ActivityDeps } from './lib/deps.ts'
import type { SandboxInfo } from './lib/e2b.ts'
import { counted } from './lib/metrics.ts'

const MAX_ROWS = 1_000
const STARTING_MS = 10_000

export const reaperActivities = (deps: ActivityDeps) => ({
  /**
   * Joins E2B's list with Temporal's, and kills the sandboxes of this deployment whose owner is proved to have ended. A second attempt
   * finds fewer of them. Sandboxes without our tags are never looked at.
   */
  async reapSandboxes({ dryRun, graceMs }: ReaperInput): Promise<ReaperReport> {
    const ours = { [SANDBOX_METADATA.owner]: deps.owner, [SANDBOX_METADATA.namespace]: deps.namespace }
    const sandboxes: SandboxRow[] = []
    let reaped = 0
    for (const found of await deps.e2b.list(ours)) {
      const row = await rowOf(deps, found, graceMs)
      if (row.fate === 'reap' && !dryRun && (await deps.e2b.kill(row.sandboxId))) reaped++
      if (sandboxes.length < MAX_ROWS) sandboxes.push(row)
      heartbeat(sandboxes.length)
    }
    counted('sandboxesReaped', {}, reaped)
    return { sandboxes, reaped, pruned: await pruneBlobs(deps, { dryRun, graceMs }) }
  },
})

/** What a workflow has in the blob store goes when Temporal has forgotten it, or somebody terminated it. */
async function pruneBlobs(deps: ActivityDeps, { dryRun, graceMs }: ReaperInput): Promise<number> {
  const forgotten = await forgottenAmong(deps, await deps.blobs.folders(deploymentFolder(deps)))
  if (dryRun || forgotten.length === 0) return forgotten.length
  // A client stores a large spec before it starts the job: what is asked for a moment later is there.
  await sleep(Math.min(graceMs, STARTING_MS))
  const pruned = await forgottenAmong(deps, forgotten)
  for (const folder of pruned) await deps.blobs.deleteAll(`${deploymentFolder(deps)}${folder}/`)
  return pruned.length
}

async function forgottenAmong(deps: ActivityDeps, folders: string[]): Promise<string[]> {
  const forgotten: string[] = []
  for (const folder of folders) {
    const status = await deps.ownerStatus(textOfKeyWord(folder))
    if (status === 'NOT_FOUND' || status === 'TERMINATED') forgotten.push(folder)
    heartbeat(forgotten.length)
  }
  return forgotten
}

async function rowOf(
  deps: ActivityDeps,
  { sandboxId, state, startedAt, metadata }: SandboxInfo,
  graceMs: number,
): Promise<SandboxRow> {
  const workflowId = metadata[SANDBOX_METADATA.workflowId] ?? ''
  const runId = metadata[SANDBOX_METADATA.runId] ?? ''
  const keep = (metadata[SANDBOX_METADATA.keep] ?? 'always') as Keep
  const ageMs = Date.now() - startedAt.getTime()
  const owner = await deps.ownerStatus(workflowId, runId)
  return { sandboxId, state, ageMs, workflowId, runId, owner, fate: fateOf({ owner, keep, ageMs }, graceMs) }
}
