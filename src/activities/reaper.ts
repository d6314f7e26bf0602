import { heartbeat } from '@temporalio/activity'
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
    return { sandboxes, reaped, pruned: await pruneCheckpoints(deps, dryRun) }
  },
})

/** Checkpoints go with their job; those of a job that could not clean up any more go here. */
async function pruneCheckpoints(deps: ActivityDeps, dryRun: boolean): Promise<number> {
  let pruned = 0
  for (const folder of await deps.blobs.folders(deploymentFolder(deps))) {
    const status = await deps.ownerStatus(textOfKeyWord(folder))
    heartbeat(pruned)
    if (status !== 'NOT_FOUND' && status !== 'TERMINATED') continue
    pruned++
    if (!dryRun) await deps.blobs.deleteAll(`${deploymentFolder(deps)}${folder}/`)
  }
  return pruned
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
  const owner = await deps.ownerStatus(workflowId)
  return { sandboxId, state, ageMs, workflowId, runId, owner, fate: fateOf({ owner, keep, ageMs }, graceMs) }
}
