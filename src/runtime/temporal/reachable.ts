import { Connection, type ConnectionOptions } from '@temporalio/client'

/** Reconnect often: a server of ours is up a fraction of a second after its start. */
const EAGER_RECONNECT = { 'grpc.initial_reconnect_backoff_ms': 50, 'grpc.max_reconnect_backoff_ms': 250 }

export type Address = ConnectionOptions & { address: string }

/**
 * Resolves once a Temporal server answers at the address and has the namespace.
 *
 * @param timeoutMs how long to wait for it, in milliseconds
 * @param signal gives up at once when aborted
 * @throws Error naming address and reason where it does not answer in that time
 */
export async function untilReachable(
  target: Address,
  namespace: string,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<void> {
  const connection = Connection.lazy({
    ...target,
    connectTimeout: timeoutMs,
    channelArgs: { ...target.channelArgs, ...EAGER_RECONNECT },
  })
  const abort = () => void connection.close()
  signal?.addEventListener('abort', abort)
  try {
    await connection.ensureConnected()
    await connection.withDeadline(Date.now() + timeoutMs, () =>
      connection.workflowService.describeNamespace({ namespace }),
    )
  } catch (error) {
    throw new Error(`no Temporal server answers at ${target.address}: ${reason(error)}`, { cause: error })
  } finally {
    signal?.removeEventListener('abort', abort)
    await connection.close()
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
