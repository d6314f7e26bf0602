import { status } from '@grpc/grpc-js'
import { type Client, isGrpcServiceError, ServiceError, type WorkflowStartOptions } from '@temporalio/client'
import { asPairs, type Columns } from '../contract/search-attributes.ts'

/**
 * Starts a workflow with its columns; without them on a server that doesn't have our search attributes, where the workflow then
 * leaves them alone.
 */
export async function startInList(
  { workflow }: Client,
  type: string,
  columns: Partial<Columns>,
  options: WorkflowStartOptions,
): Promise<{ firstExecutionRunId: string }> {
  try {
    return await workflow.start(type, { ...options, typedSearchAttributes: asPairs(columns) })
  } catch (error) {
    if (!lacksSearchAttribute(error)) throw error
    return workflow.start(type, options)
  }
}

const lacksSearchAttribute = (error: unknown): boolean =>
  error instanceof ServiceError &&
  isGrpcServiceError(error.cause) &&
  error.cause.code === status.INVALID_ARGUMENT &&
  /search attribute/i.test(error.cause.details)
