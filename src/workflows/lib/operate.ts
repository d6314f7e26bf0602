import type { Duration } from '@temporalio/common'
import type { OperationCall } from '../../activities/lib/operation.ts'
import type { BatchCall } from '../../activities/batch.ts'
import type { BatchResult } from '../../contract/operations/batch.ts'
import type { OperationResults } from '../../contract/operations/results.ts'
import type { OperationName } from '../../contract/operations/table.ts'
import { perform } from './activities.ts'

/** What an operation that takes a time gets beyond it: for reaching the sandbox, and for ending what runs too long. */
const MARGIN_MS = 5 * 60_000
/** What each operation of a batch gets that names no time. */
const DEFAULT_MS = 60_000

/** Of so many forks it is known that they are of earlier requests. */
const MAX_FORKS = 1_000

/**
 * Performs an operation as an activity, for as long as its input lets it take.
 *
 * @param forks what earlier forks gave, none of which is given again; a fork adds what it gives
 */
export function operate<N extends OperationName>(
  name: N,
  call: OperationCall<N>,
  forks: string[] = [],
): Promise<OperationResults[N]> {
  const { timeoutMs } = call.input as { timeoutMs?: unknown }
  const startToCloseTimeout: Duration | undefined =
    typeof timeoutMs === 'number' && name !== 'commands.start' ? timeoutMs + MARGIN_MS : undefined
  const known = name === 'sandbox.fork' && { known: [...forks] }
  const run = perform as (...args: unknown[]) => Promise<OperationResults[N]>
  const done = run(
    name,
    inWords(name, call.input),
    { ...call, ...known },
    startToCloseTimeout ? { startToCloseTimeout } : {},
  )
  if (!known) return done
  return done.then((made) => {
    forks.push(...(made as OperationResults['sandbox.fork']).sandboxIds)
    forks.splice(0, forks.length - MAX_FORKS)
    return made
  })
}

/** Performs several in order as one activity, for as long as all of them may take. */
export function operateBatch(call: BatchCall): Promise<BatchResult> {
  const { operations } = call
  const times = operations.map(({ input }) => (input as { timeoutMs?: unknown }).timeoutMs)
  const totalMs = times.reduce<number>(
    (sum, ms) => sum + (typeof ms === 'number' ? ms : DEFAULT_MS),
    MARGIN_MS,
  )
  const first = operations[0]
  const words = first ? `${inWords(first.name, first.input)}; ${operations.length - 1} more` : 'nothing'
  return perform('batch', words, call, { startToCloseTimeout: totalMs })
}

/** What the Temporal UI shows beside the activity: the operation, and what it is about. */
export function inWords(name: OperationName, input: object): string {
  const about = ['cmd', 'code', 'path', 'oldPath', 'url', 'port', 'branch', 'commandId', 'name']
    .map((field) => (input as Record<string, unknown>)[field])
    .find((value) => typeof value === 'string' || typeof value === 'number')
  const line = about === undefined ? '' : String(about).trim().split('\n')[0]
  return line ? `${name}: ${line.length > 120 ? `${line.slice(0, 119)}…` : line}` : name
}
