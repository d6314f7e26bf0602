import { Client } from '@temporalio/client'
import { ApplicationFailure, type DataConverter } from '@temporalio/common'
import type { NativeConnection } from '@temporalio/worker'
import type { ActivityDeps } from './activities/lib/deps.ts'
import { blobsOfClient } from './client/blobs.ts'
import { HoldfastError } from './client/errors.ts'
import { Outputs } from './client/outputs.ts'
import { Session } from './client/session.ts'
import { NO_KEYS } from './payloads/keys.ts'

/** How activities reach other workflows: through the client, over the worker's own connection. */
export function workflowAccess(
  connection: NativeConnection,
  namespace: string,
  dataConverter: DataConverter,
): Pick<ActivityDeps, 'askSession' | 'signal'> {
  const client = new Client({ connection, namespace, dataConverter })
  const noOutputs = new Outputs({ owner: '', namespace }, blobsOfClient(undefined, NO_KEYS))
  return {
    askSession: async ({ reference, requestId, name, input }, cancellation) => {
      try {
        const request = new Session(client, noOutputs, reference.id).perform(name, input, { requestId })
        return await Promise.race([request, cancelled(cancellation)])
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error
        throw ApplicationFailure.create({
          type: error.type,
          message: error.message,
          nonRetryable: !error.retryable,
          details: [{ remedy: error.remedy }],
          cause: error,
        })
      }
    },
    signal: (execution, name, ...args) =>
      client.workflow.getHandle(execution.workflowId, execution.runId).signal(name, ...args),
  }
}

const cancelled = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  )
