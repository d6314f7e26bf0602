import { Context } from '@temporalio/activity'
import type { SandboxOperationName } from '../contract/operations/table.ts'
import type { SessionReference } from '../contract/session.ts'
import type { ActivityDeps } from './lib/deps.ts'
import { failure } from '../contract/failure.ts'
import { whileBeating } from './lib/heartbeat.ts'

export interface UseSessionInput {
  reference: SessionReference
  /** The same for every attempt, so that the session does once what is asked for twice. */
  requestId: string
  name: SandboxOperationName
  input: object
}

export const sessionActivities = (deps: ActivityDeps) => ({
  /**
   * Asks a session for an operation and waits for its answer. A second attempt sends the same request again, which the session
   * finds done or under way.
   *
   * @throws what the operation throws; `SessionNotFound`, `SandboxClosed`
   */
  async useSession(request: UseSessionInput): Promise<unknown> {
    const { version } = request.reference
    if (version !== 1)
      throw failure(
        'SandboxInvalidArgument',
        `reference.version: is ${String(version)}; this worker knows version 1`,
      )
    return whileBeating(() => deps.askSession(request, Context.current().cancellationSignal))
  },
})
