import type { FailureReport, FailureType } from '../failures.ts'
import { type Perform, sandboxApi, type SandboxApi } from './api.ts'
import { SANDBOX_OPERATIONS, type SandboxOperationName } from './table.ts'

/** One operation among several that are asked for at once. */
export interface BatchedOperation {
  name: SandboxOperationName
  input: object
}

/** Results of the operations that were done, in order; then why the next one was not. */
export interface BatchResult {
  results: unknown[]
  failure?: FailureReport
}

/** What a batch may hold: operations of these families. */
export type BatchApi = Pick<SandboxApi, 'commands' | 'files' | 'git' | 'network'>

export const MAX_BATCH = 50

/** Not the ones that take as long as somebody outside likes, nor code: a kernel's work can't be attached to. */
export const mayBeBatched = (name: string): name is SandboxOperationName =>
  Object.hasOwn(SANDBOX_OPERATIONS, name) &&
  /^(commands|files|git|network)\./.test(name) &&
  name !== 'files.watchDir' &&
  name !== 'commands.wait'

/** What is wrong with a batch, or undefined. */
export function batchProblem(operations: unknown): string | undefined {
  if (!Array.isArray(operations) || operations.length === 0)
    return 'operations: is no list; write [{"name": "files.read", "input": {"path": "a.txt"}}]'
  if (operations.length > MAX_BATCH) return `operations: are more than ${MAX_BATCH}; ask in several batches`
  const index = operations.findIndex(
    (one: Partial<BatchedOperation> | null) =>
      !mayBeBatched(String(one?.name)) || typeof one?.input !== 'object' || one.input === null,
  )
  if (index === -1) return undefined
  return `operations[${index}]: is no operation with its input that a batch may hold; ask for it by itself`
}

/**
 * Collects what `ask` asks for, without waiting in between, and sends it as one.
 *
 * @param send does all in order, up to the first that fails
 * @param fail makes the error for an operation that failed, or was not done because of an earlier one
 */
export async function batched<T>(
  ask: (sandbox: BatchApi) => Promise<T>,
  send: (operations: BatchedOperation[]) => Promise<BatchResult>,
  fail: (type: FailureType, message: string, report?: FailureReport) => Error,
): Promise<T> {
  interface Asked extends BatchedOperation {
    resolve: (result: never) => void
    reject: (error: unknown) => void
  }
  const asked: Asked[] = []
  let sent = false
  const collect: Perform = (name, input) => {
    if (sent)
      return Promise.reject(
        fail('SandboxInvalidArgument', `${name}: was asked for after its batch; ask for all at once`),
      )
    return new Promise((resolve, reject) => asked.push({ name, input, resolve, reject }))
  }
  const answer = ask(sandboxApi(collect))
  sent = true
  if (asked.length === 0) return answer
  try {
    const { results, failure } = await send(asked.map(({ name, input }) => ({ name, input })))
    const failed = asked[results.length]?.name
    for (const [index, { name, resolve, reject }] of asked.entries())
      if (index < results.length) resolve(results[index] as never)
      else if (!failure) reject(fail('InternalError', `${name}: its batch has no result of it`))
      else if (index === results.length) reject(fail(failure.type, failure.message, failure))
      else reject(fail(failure.type, `${name}: was not done, because ${failed} failed: ${failure.message}`))
  } catch (error) {
    for (const { reject } of asked) reject(error)
  }
  return answer
}
