import { defineQuery, defineUpdate } from '@temporalio/workflow'
import type { BatchedOperation, BatchResult } from './operations/batch.ts'
import type { OperationInput } from './operations/inputs.ts'
import type { OperationResults } from './operations/results.ts'
import type { SandboxOperationName } from './operations/table.ts'
import type { Held, Hold, SessionReference, SessionStatus } from './session.ts'

/** The update of an operation has the operation's name. */
export const operationUpdate = <N extends SandboxOperationName>(name: N) =>
  defineUpdate<OperationResults[N], [OperationInput<N>]>(name)

export const batchUpdate = defineUpdate<BatchResult, [{ operations: BatchedOperation[] }]>('batch')
export const pauseUpdate = defineUpdate<void>('pause')
export const resumeUpdate = defineUpdate<void>('resume')
export const holdUpdate = defineUpdate<Held, [Hold]>('hold')
export const closeUpdate = defineUpdate<void>('close')
export const forkUpdate = defineUpdate<SessionReference, [{ id: string }]>('fork')
export const sessionQuery = defineQuery<SessionStatus>('session')
