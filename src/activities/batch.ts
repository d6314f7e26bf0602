import { ApplicationFailure } from '@temporalio/activity'
import { failure } from '../contract/failure.ts'
import { FAILURES, isFailureType } from '../contract/failures.ts'
import { type BatchedOperation, batchProblem, type BatchResult } from '../contract/operations/batch.ts'
import { type FinishedCommand, leavesRecord } from '../contract/operations/records.ts'
import type { SandboxOperationName } from '../contract/operations/table.ts'
import type { OperationCall } from './lib/operation.ts'
import type { SandboxTarget } from './lib/target.ts'

export interface BatchCall {
  target: SandboxTarget
  /** Names the batch; its operations are named within it. */
  key: string
  scope?: string
  /** Whether an earlier activity of the same key may have done it already, or in part. */
  again?: boolean
  /** For the first operation that leaves a record itself. */
  forget?: FinishedCommand[]
  operations: BatchedOperation[]
}

type Operations = Record<
  SandboxOperationName,
  (call: OperationCall<SandboxOperationName>) => Promise<unknown>
>

export const batchActivities = (perform: Operations) => ({
  /**
   * Does operations in order, up to the first that fails for good. A second attempt does them all again, each as its own second
   * attempt: a command that ran is found by its name, what was written is written again.
   *
   * @throws `SandboxInvalidArgument`, and what is to be tried again
   */
  async batch({ target, key, scope, again, forget, operations }: BatchCall): Promise<BatchResult> {
    const problem = batchProblem(operations)
    if (problem) throw failure('SandboxInvalidArgument', problem)
    const results: unknown[] = []
    const first = operations.findIndex(({ name }) => leavesRecord(name))
    for (const [index, { name, input }] of operations.entries())
      try {
        const call = {
          target,
          key: `${key}/${index}`,
          ...(scope && { scope }),
          ...(again && { again }),
          ...(forget && index === first && { forget }),
          input,
        }
        // What an operation without a result gives has to keep its place.
        results.push((await perform[name](call)) ?? null)
      } catch (error) {
        if (!(error instanceof ApplicationFailure && error.nonRetryable && isFailureType(error.type)))
          throw error
        const { output } = (error.details?.[0] ?? {}) as { output?: string }
        const { remedy } = FAILURES[error.type]
        return {
          results,
          failure: { type: error.type, message: error.message, remedy, ...(output && { output }) },
        }
      }
    return { results }
  },
})
