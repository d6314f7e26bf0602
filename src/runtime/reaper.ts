import {
  Client,
  ScheduleAlreadyRunning,
  ScheduleOverlapPolicy,
  WorkflowNotFoundError,
} from '@temporalio/client'
import type { NativeConnection } from '@temporalio/worker'
import type { PayloadCodec } from '@temporalio/common'
import { WORKFLOW_TYPES } from '../contract/job.ts'
import { type OwnerStatus, REAPER_GRACE_MS, type ReaperInput } from '../contract/sandboxes.ts'
import { reaperText } from '../contract/static-text.ts'

/** Reads nothing: a workflow's status is told without the keys of its memo. */
const unread: PayloadCodec = {
  encode: (payloads) => Promise.resolve(payloads),
  decode: (payloads) =>
    Promise.resolve(payloads.map(() => ({ metadata: { encoding: Buffer.from('binary/null') } }))),
}

/**
 * How the owner of a sandbox stands: the newest run of its workflow, since a reset job goes on in a new run, with the sandbox of the old one.
 * Where another workflow has taken up the id since, such as a session that was opened anew, that isn't the owner: it is the run that made it.
 */
export function ownerStatus(connection: NativeConnection, namespace: string) {
  const { workflow } = new Client({ connection, namespace, dataConverter: { payloadCodecs: [unread] } })
  const describe = async (workflowId: string, runId?: string) => {
    try {
      const { status, raw } = await workflow.getHandle(workflowId, runId).describe()
      return { status: status.name as OwnerStatus, chain: raw.workflowExecutionInfo?.firstRunId }
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined
      throw error
    }
  }
  return async (workflowId: string, runId?: string): Promise<OwnerStatus> => {
    const newest = await describe(workflowId)
    if (!newest) return 'NOT_FOUND'
    const maker = runId ? await describe(workflowId, runId) : undefined
    if (!maker?.chain || !newest.chain || maker.chain === newest.chain) return newest.status
    // Its later runs have ended too, however they did.
    return maker.status === 'CONTINUED_AS_NEW' ? 'COMPLETED' : maker.status
  }
}

/** Makes the reaper's Schedule, once for each owner and task queue, whichever worker comes first. Temporal's `schedule.create`. */
export async function scheduleReaper(
  connection: NativeConnection,
  { namespace, taskQueue, owner }: { namespace: string; taskQueue: string; owner: string },
): Promise<void> {
  const input: ReaperInput = { dryRun: false, graceMs: REAPER_GRACE_MS }
  const id = `sandbox-reaper-${owner}-${taskQueue}`
  try {
    await new Client({ connection, namespace }).schedule.create({
      scheduleId: id,
      spec: { intervals: [{ every: '10m' }] },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '10m' },
      action: {
        type: 'startWorkflow',
        workflowType: WORKFLOW_TYPES.sandboxReaper,
        workflowId: id,
        taskQueue,
        args: [input],
        workflowExecutionTimeout: '1h',
        ...reaperText(input),
      },
    })
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error
  }
}
