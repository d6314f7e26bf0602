import { status } from '@grpc/grpc-js'
import {
  ApplicationFailure,
  CancelledFailure,
  NamespaceNotFoundError,
  TerminatedFailure,
  TimeoutFailure,
} from '@temporalio/common'
import {
  isGrpcServiceError,
  QueryNotRegisteredError,
  ServiceError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client'
import {
  FAILURES,
  type FailureReport,
  type FailureType,
  isFailureType,
  isTerminal,
} from '../contract/failures.ts'
import { ASK_AGAIN } from '../contract/messages.ts'
import type { FieldProblem } from '../contract/parse.ts'

const MISSING = { job: 'JobNotFound', session: 'SessionNotFound' } as const
/** How a worker refuses a query or update that the workflow doesn't have. */
const NO_HANDLER = /^Workflow did not register a handler for|^No registered handler for update/

/** Every error that the client throws: a type of the closed list, and what to do. */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError'
  readonly type: FailureType
  readonly remedy: string
  /** Whether the same call may succeed later. */
  readonly retryable: boolean
  /** For `InvalidSpec`: each wrong field. */
  readonly problems: FieldProblem[]
  /** For a failed job: all that it reported. */
  readonly report: FailureReport | undefined

  constructor(
    type: FailureType,
    message: string,
    options: { cause?: unknown; problems?: FieldProblem[]; report?: FailureReport } = {},
  ) {
    super(message, { cause: options.cause })
    this.type = type
    this.remedy = FAILURES[type].remedy
    this.retryable = !isTerminal(type)
    this.problems = options.problems ?? []
    this.report = options.report
  }

  /**
   * The error for anything that a Temporal client throws: a failed job or a refused update by the type in its cause, a
   * missing workflow, or one of another kind, as `JobNotFound`, a lost connection as `ServerUnreachable`, one that is refused as
   * `SettingsInvalid`; anything else as it is.
   */
  static from(error: unknown, id?: string, kind: 'job' | 'session' = 'job'): unknown {
    if (error instanceof HoldfastError) return error
    const cause =
      error instanceof WorkflowFailedError || error instanceof WorkflowUpdateFailedError ? error.cause : error
    if (cause instanceof ApplicationFailure && isFailureType(cause.type)) {
      const report = cause.details?.[0] as FailureReport | undefined
      return new HoldfastError(cause.type, cause.message, { cause: error, ...(report && { report }) })
    }
    // The server's word for an update that a worker had and did not answer, for instance because the server died meanwhile.
    if (cause instanceof ApplicationFailure && cause.type === 'UnprocessedUpdate')
      return new HoldfastError('WorkerStopping', 'the worker that had the update did not take it up', {
        cause: error,
      })
    if (cause instanceof CancelledFailure)
      return new HoldfastError('JobCancelled', 'the job was cancelled', { cause: error })
    if (cause instanceof TerminatedFailure)
      return new HoldfastError('JobTerminated', 'the job was terminated', { cause: error })
    if (cause instanceof TimeoutFailure)
      return new HoldfastError('TimedOut', 'the workflow has run out of its time', { cause: error })
    if (error instanceof WorkflowNotFoundError && kind === 'session')
      return new HoldfastError(MISSING.session, `there is no open session ${id ?? ''}`.trim(), {
        cause: error,
      })
    if (error instanceof WorkflowNotFoundError && /already completed/.test(error.message))
      return new HoldfastError('NotWaitingForReview', `the job ${id ?? ''} has ended`, { cause: error })
    if (error instanceof WorkflowNotFoundError)
      return new HoldfastError(MISSING.job, `there is no job ${id ?? ''}`.trim(), { cause: error })
    if (error instanceof NamespaceNotFoundError)
      return new HoldfastError(
        'SettingsInvalid',
        `there is no namespace ${error.namespace} (TEMPORAL_NAMESPACE)`,
        {
          cause: error,
        },
      )
    // A workflow of another kind, such as a session where a job is asked.
    if (NO_HANDLER.test((cause as Error | undefined)?.message ?? ''))
      return new HoldfastError(MISSING[kind], `${id ?? 'the workflow'} is no ${kind}`, { cause: error })
    // The worker answered that it can't: not yet, or never, since its workflow code doesn't fit the history.
    if (error instanceof QueryNotRegisteredError) {
      const type = error.message.includes(ASK_AGAIN) ? 'WorkerStopping' : 'InternalError'
      return new HoldfastError(type, error.message, { cause: error })
    }
    const isOfCall =
      error instanceof ServiceError || error instanceof WorkflowUpdateRPCTimeoutOrCancelledError
    const rpc = isOfCall ? error.cause : error
    if (!isGrpcServiceError(rpc)) return error
    const message = rpc.details || rpc.message
    if (rpc.code === status.UNAUTHENTICATED || rpc.code === status.PERMISSION_DENIED)
      return new HoldfastError(
        'SettingsInvalid',
        `Temporal lets this client in neither by TEMPORAL_API_KEY nor by its TLS certificate: ${message}`,
        { cause: error },
      )
    return new HoldfastError(typeOfRpcError(rpc), message, { cause: error })
  }
}

/** By gRPC status. A query that nobody takes up, because no worker polls, ends in one of two ways. */
function typeOfRpcError({ code, details }: { code: status; details: string }): FailureType {
  if (code === status.FAILED_PRECONDITION || /before a worker could process it|no poller/i.test(details))
    return 'NoWorker'
  return code === status.INVALID_ARGUMENT ? 'InvalidQuery' : 'ServerUnreachable'
}

/** Runs a call of the Temporal client; what it throws becomes a HoldfastError. */
export async function typed<T>(
  call: () => Promise<T>,
  id?: string,
  kind: 'job' | 'session' = 'job',
): Promise<T> {
  if (id === '') throw new HoldfastError(MISSING[kind], `no ${kind} has an empty id`)
  try {
    return await call()
  } catch (error) {
    throw HoldfastError.from(error, id, kind)
  }
}
