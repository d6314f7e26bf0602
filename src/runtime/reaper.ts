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

/** How the newest run of a workflow stands: a reset job goes on in a new run, with the sandbox of the old one. */
export function ownerStatus(connection: NativeConnection, namespace: string) {
  const { workflow } = new Client({ connection, namespace, dataConverter: { payloadCodecs: [unread] } })
  return async (workflowId: string): Promise<OwnerStatus> => {
    try {
      return (await workflow.getHandle(workflowId).describe()).status.name as OwnerStatus
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return 'NOT_FOUND'
      throw error
    }
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
