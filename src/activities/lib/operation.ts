import { Context } from '@temporalio/activity'
import { OPERATION_INPUTS, type OperationInput, type ParsedInput } from '../../contract/operations/inputs.ts'
import type { OperationResults } from '../../contract/operations/results.ts'
import type { FinishedCommand } from '../../contract/operations/records.ts'
import type { OperationName, SandboxOperationName } from '../../contract/operations/table.ts'
import { describeProblems, parse } from '../../contract/parse.ts'
import type { ActivityDeps } from './deps.ts'
import type { DurableCommand } from './durable-command.ts'
import type { CommandLine } from './follower.ts'
import type { Sandbox } from './e2b.ts'
import { failure } from '../../contract/failure.ts'
import { executionOf } from './execution.ts'
import { whileBeating, whileExtended } from './heartbeat.ts'
import type { SandboxTarget } from './target.ts'

/** What a workflow gives an operation's activity. */
export interface OperationCall<N extends OperationName> {
  /** None for an operation of the account. */
  target: N extends SandboxOperationName ? SandboxTarget : undefined
  /** Names what is done, so that another activity with the same key finds it done; the activity's own id if left out. */
  key?: string
  /** Within which the key holds; the run of the workflow if left out. */
  scope?: string
  /** Whether an earlier activity of the same key may have done it already. */
  again?: boolean
  /** See `DurableCommand`. */
  forget?: FinishedCommand[]
  /** See `Use`; none if left out. */
  known?: string[]
  input: OperationInput<N>
}

/** What an operation works with. */
export interface Use {
  deps: ActivityDeps
  target: SandboxTarget
  key: Pick<DurableCommand, 'key' | 'scope' | 'forget'>
  /** Whether an earlier attempt may have done it already. */
  again: boolean
  /** Forks of the sandbox, and what else of its allocation there is, that are of other requests. */
  known: string[]
  /** Sends a signal to the workflow that asked for this. */
  signal(name: string, ...args: unknown[]): Promise<void>
  /** Makes a call with heartbeats. */
  beating<T>(call: () => Promise<T>): Promise<T>
  /**
   * Connects, which resumes a paused sandbox, and makes a call of the SDK, with heartbeats and, however long it takes, in a sandbox that
   * doesn't pause itself; its errors are of the closed list. A first attempt relies on a connection of a moment ago.
   */
  sdk<T>(call: (sandbox: Sandbox) => Promise<T>): Promise<T>
  /** A command line of this operation, for `runDurably`. */
  command(line: Omit<CommandLine, keyof SandboxTarget>): CommandLine & Use['key']
}

/** The operations of a family: `files` has all those that are named `files.…`. */
export type Family<F extends string> = {
  [N in OperationName as N extends `${F}.${string}` ? N : never]: (
    use: Use,
    input: ParsedInput<N>,
  ) => Promise<OperationResults[N]>
}

/**
 * Operations as activities of the same names.
 *
 * @throws `SandboxInvalidArgument` naming each wrong field: whoever calls by the Temporal UI has passed no other check
 */
export function asActivities<M extends Partial<Family<string>>>(
  deps: ActivityDeps,
  operations: M,
): ActivitiesOf<M> {
  const activities = Object.entries(operations).map(([name, operation]) => [
    name,
    (call: OperationCall<OperationName>): Promise<unknown> => {
      const parsed = parse(OPERATION_INPUTS[name as OperationName], call.input)
      if (!parsed.ok) throw failure('SandboxInvalidArgument', describeProblems(parsed.problems))
      const run = operation as (use: Use, input: unknown) => Promise<unknown>
      return run(useOf(name as OperationName, deps, call), parsed.value)
    },
  ])
  return Object.fromEntries(activities) as ActivitiesOf<M>
}

type ActivitiesOf<M> = {
  [N in keyof M & OperationName]: (call: OperationCall<N>) => Promise<OperationResults[N]>
}

export function useOf(name: OperationName, deps: ActivityDeps, call: OperationCall<OperationName>): Use {
  const { scope, forget, known = [] } = call
  const target = call.target as SandboxTarget
  const key = { key: call.key, scope, forget }
  const again = call.again || Context.current().info.attempt > 1
  return {
    deps,
    target,
    key,
    again,
    known,
    signal: (name, ...args) => deps.signal(executionOf(), name, ...args),
    beating: whileBeating,
    sdk: (call) =>
      whileBeating(async () => {
        const sandbox = await deps.e2b.connect(target.sandboxId, target.sandboxTimeoutMs, !again)
        return whileExtended(sandbox, target.sandboxTimeoutMs, () =>
          deps.e2b.ofRunning(name, target.sandboxId, () => call(sandbox)),
        )
      }),
    command: (line) => ({ ...target, ...key, recent: !again, ...line }),
  }
}
