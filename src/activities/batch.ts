import { ApplicationFailure } from '@temporalio/activity'
import { failure } from '../contract/failure.ts'
import { FAILURES, isFailureType } from '../contract/failures.ts'
import { type BatchedOperation, batchProblem, type BatchResult } from '../contract/operations/batch.ts'
import { type FinishedCommand, leavesRecord } from '../contract/operations/records.ts'
import type { SandboxOperationName } from '../contract/operations/table.ts'
import { BatchRecord } from './lib/batch-record.ts'
import { currentCommandId } from './lib/durable-command.ts'
import type { ActivityDeps } from './lib/deps.ts'
import { type OperationCall, useOf } from './lib/operation.ts'
import type { SandboxTarget } from './lib/target.ts'

export interface BatchCall {
  target: SandboxTarget
  /** Names the batch; its operations are named within it. */
  key: string
  scope?: string
  /** Whether an earlier activity of the same key may have done it already, or in part. */
  again?: boolean
  /** For the first operation that leaves a record itself; for the batch's own record, where none does. */
  forget?: FinishedCommand[]
  operations: BatchedOperation[]
}

type Operations = Record<
  SandboxOperationName,
  (call: OperationCall<SandboxOperationName>) => Promise<unknown>
>

export const batchActivities = (deps: ActivityDeps, perform: Operations) => ({
  /**
   * Does operations in order, up to the first that fails for good. A second attempt goes on behind those that the record in the
   * sandbox has; the first that it hasn't is done as its own second attempt.
   *
   * @throws `SandboxInvalidArgument`, and what is to be tried again
   */
  async batch({ target, key, scope, again, forget, operations }: BatchCall): Promise<BatchResult> {
    const problem = batchProblem(operations)
    if (problem) throw failure('SandboxInvalidArgument', problem)
    const results: unknown[] = []
    const first = operations.findIndex(({ name }) => leavesRecord(name))
    const idOf = (one: FinishedCommand): string =>
      'commandId' in one ? one.commandId : currentCommandId({ key: one.key, scope })
    const record = new BatchRecord(
      useOf('files.write', deps, { target, key, ...(scope && { scope }), input: {} }),
      idOf({ key }),
      operations.map(({ name }) => name),
      first === -1 ? (forget ?? []).map(idOf) : [],
    )
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
        results.push(await record.resultOf(index, () => perform[name](call)))
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
