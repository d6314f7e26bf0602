import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow'
import type { BatchResult } from '../../contract/operations/batch.ts'
import { type FinishedCommand, leavesRecord } from '../../contract/operations/records.ts'
import type { SandboxOperationName } from '../../contract/operations/table.ts'

/** How many commands of a user keep their records in the sandbox, for whoever asks again. */
export const KEPT = 100

/** How many are forgotten at once. */
export const AT_ONCE = 50

interface Asked {
  name: SandboxOperationName | 'batch'
  key: string
  input: object
}

/**
 * The commands of a session that have ended and whose results are in its history: nothing needs their records but a request that is
 * sent again in a later run of the workflow.
 */
export class FinishedCommands {
  /** By user, those that ended first at the front. */
  readonly #byUser: Map<string, FinishedCommand[]>

  constructor(earlier: Record<string, FinishedCommand[]> = {}) {
    this.#byUser = new Map(Object.entries(earlier))
  }

  /** For the next run of the workflow. */
  get saved(): Record<string, FinishedCommand[]> {
    return Object.fromEntries(this.#byUser)
  }

  /** Does what was asked for, and has the oldest records removed with it once enough have gathered. */
  async during<T>(asked: Asked[], work: (spare: { forget?: FinishedCommand[] }) => Promise<T>): Promise<T> {
    for (const one of asked) this.#remove(userOf(one), ends(one))
    const carrier = asked.find(({ name }) => name === 'batch' || leavesRecord(name))
    const forget = carrier ? this.#spare(userOf(carrier)) : []
    try {
      const result = await work(forget.length > 0 ? { forget } : {})
      if (carrier && isWhole(result)) this.#remove(userOf(carrier), forget)
      this.#add(asked)
      return result
    } catch (error) {
      if (isTerminal(error)) this.#add(asked)
      throw error
    }
  }

  #spare(user: string): FinishedCommand[] {
    const all = this.#of(user)
    return all.length >= KEPT + AT_ONCE ? all.slice(0, all.length - KEPT) : []
  }

  #add(asked: Asked[]): void {
    for (const one of asked) {
      const ended = ends(one)
      this.#remove(userOf(one), ended)
      if (ended.length > 0) this.#byUser.set(userOf(one), [...this.#of(userOf(one)), ...ended])
    }
  }

  #remove(user: string, commands: FinishedCommand[]): void {
    const names = new Set(commands.map(nameOf))
    const rest = this.#of(user).filter((one) => !names.has(nameOf(one)))
    if (rest.length > 0) this.#byUser.set(user, rest)
    else this.#byUser.delete(user)
  }

  #of(user: string): FinishedCommand[] {
    return this.#byUser.get(user) ?? []
  }
}

/** The commands that have ended, and the batch that has, when the operation has. */
function ends({ name, key, input }: Asked): FinishedCommand[] {
  if (name === 'commands.wait') return [{ commandId: (input as { commandId: string }).commandId }]
  if (name === 'batch') return [{ key }]
  return leavesRecord(name) && name !== 'commands.start' ? [{ key }] : []
}

/** Not a batch that ended before what carried the names, perhaps. */
const isWhole = (result: unknown): boolean => (result as Partial<BatchResult> | null)?.failure === undefined

const userOf = ({ input }: Asked): string => (input as { user?: string }).user ?? ''

const nameOf = (one: FinishedCommand): string =>
  'key' in one ? `key ${one.key}` : `commandId ${one.commandId}`

/** Whether no later attempt will ask for what failed. */
const isTerminal = (error: unknown): boolean =>
  error instanceof ActivityFailure &&
  error.cause instanceof ApplicationFailure &&
  error.cause.nonRetryable === true
