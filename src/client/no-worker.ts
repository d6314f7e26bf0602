import { setTimeout as delay } from 'node:timers/promises'
import type { Connection, WorkflowClientInterceptor } from '@temporalio/client'
import { HoldfastError } from './errors.ts'

/** An update that isn't accepted after so long, in ms, makes us ask for a worker. */
const ASK_AFTER_MS = 5_000
/** Of one that was accepted Temporal tells within 20 s, also where its end is waited for. */
const TOLD_WITHIN_MS = 25_000
/** Queries in a row that no worker takes up: one may come while it is replaced, or busy. */
const MAX_UNANSWERED = 2

interface Workflow {
  namespace: string
  workflowId: string
}

/** The `NoWorker` by which a query ends that no worker takes up; undefined where one does, or something else is wrong. */
export async function noWorkerFor(
  connection: Connection,
  { namespace, workflowId }: Workflow,
): Promise<HoldfastError | undefined> {
  try {
    await connection.workflowService.queryWorkflow({
      namespace,
      execution: { workflowId },
      query: { queryType: '__temporal_workflow_metadata' },
    })
  } catch (error) {
    const told = HoldfastError.from(error)
    if (told instanceof HoldfastError && told.type === 'NoWorker') return told
  }
  return undefined
}

/** Temporal's client sends an update until a worker accepts it, forever. This ends it as `NoWorker` where none answers a query either. */
export const updatesWithoutWorker = (
  connection: Connection,
  namespace: string,
): WorkflowClientInterceptor => ({
  async startUpdate(input, next) {
    const workflowId = input.workflowExecution.workflowId ?? ''
    const settled = new AbortController()
    const { signal } = settled
    const noWorker = async (): Promise<never> => {
      for (let times = 0; ;) {
        await delay(ASK_AFTER_MS, undefined, { signal })
        const [error] = await Promise.all([
          noWorkerFor(connection, { namespace, workflowId }),
          delay(TOLD_WITHIN_MS - ASK_AFTER_MS, undefined, { signal }),
        ])
        times = error ? times + 1 : 0
        if (times === MAX_UNANSWERED)
          throw new HoldfastError(
            'NoWorker',
            `no worker takes up ${input.updateName} of ${workflowId}; one that comes may still do it`,
            { cause: error },
          )
      }
    }
    try {
      return await connection.withAbortSignal(signal, () => Promise.race([next(input), noWorker()]))
    } finally {
      settled.abort()
    }
  },
})
