import { Context } from '@temporalio/activity'
import { SANDBOX_METADATA } from '../contract/sandboxes.ts'
import type { SandboxMetrics } from '../contract/operations/results.ts'
import type { Family, Use } from './lib/operation.ts'
import { currentCommandId } from './lib/durable-command.ts'
import { sandboxDetails, snapshotOf } from './lib/details.ts'

/** What is asked of a sandbox as a whole. Its life is in `lifecycle.ts`. */
export const sandboxOperations = {
  /** `getInfo`. Reads only, and leaves a paused sandbox paused. @throws `SandboxGone` */
  'sandbox.getInfo': async (use) =>
    sandboxDetails(await use.beating(() => use.deps.e2b.info(use.target.sandboxId))),

  /** `getMetrics`. Reads only. */
  'sandbox.getMetrics': (use, { start, end }) =>
    use.sdk(async (sandbox) => {
      const metrics = await sandbox.getMetrics({
        ...(start !== undefined && { start: new Date(start) }),
        ...(end !== undefined && { end: new Date(end) }),
      })
      return {
        metrics: metrics.map(
          ({ timestamp, cpuUsedPct, cpuCount, memUsed, memTotal, diskUsed, diskTotal }): SandboxMetrics => ({
            timestamp: timestamp.getTime(),
            cpuUsedPct,
            cpuCount,
            memUsed,
            memTotal,
            diskUsed,
            diskTotal,
          }),
        ),
      }
    }),

  /** `setTimeout`. A second run sets it again. */
  'sandbox.setTimeout': async (use, { timeoutMs }) => {
    await use.sdk((sandbox) => sandbox.setTimeout(timeoutMs))
    use.deps.e2b.forget(use.target.sandboxId)
  },

  /**
   * `createSnapshot`. A second run makes it anew under the same name, of which the newest counts: what has that name already may be of an
   * earlier request. A snapshot that is given no name is named after its request.
   */
  'sandbox.createSnapshot': (use, { name = `holdfast-${currentCommandId(use.key)}` }) =>
    use.sdk(async (sandbox) => snapshotOf(await sandbox.createSnapshot({ name }))),

  /** `fork`. The forks belong to the same workflow. A second run finds those that the first made, since this was asked for. */
  'sandbox.fork': async (use, { count, timeoutMs }) => {
    const made = use.again ? await use.beating(() => forksOf(use)) : []
    if (made.length >= count) return { sandboxIds: made }
    const forks = await use.sdk((sandbox) => sandbox.fork({ count: count - made.length, timeoutMs }))
    for (const fork of forks) if (fork instanceof Error) throw fork
    return { sandboxIds: [...made, ...forks.map((fork) => (fork as { sandboxId: string }).sandboxId)] }
  },
} satisfies Omit<Family<'sandbox'>, 'sandbox.list' | 'sandbox.listSnapshots' | 'sandbox.deleteSnapshot'>

/** Clocks differ by so much, in ms. */
const SKEW_MS = 10_000

/** Forks that were made for this request: they keep the metadata of their source, the allocation too. */
async function forksOf({ deps, target, known }: Use): Promise<string[]> {
  const { metadata } = await deps.e2b.info(target.sandboxId)
  const allocation = metadata[SANDBOX_METADATA.allocation]
  if (!allocation) return []
  const found = await deps.e2b.list({
    [SANDBOX_METADATA.owner]: deps.owner,
    [SANDBOX_METADATA.allocation]: allocation,
  })
  const askedAt = Context.current().info.scheduledTimestampMs
  const others = new Set([target.sandboxId, ...known])
  return found
    .filter(({ sandboxId, startedAt }) => !others.has(sandboxId) && startedAt.getTime() > askedAt - SKEW_MS)
    .map(({ sandboxId }) => sandboxId)
}
