import { batchLeavesRecord, changes } from '../../contract/operations/records.ts'
import type { SandboxOperationName } from '../../contract/operations/table.ts'
import { failure } from '../../contract/failure.ts'
import type { Use } from './operation.ts'
import { forgetCommand, RUNNER_HOME } from './runner.ts'

/** What these give may be a token: not for the sandbox's disk. */
const TOKENS: SandboxOperationName[] = ['network.getHost', 'network.getMcp']

const FORGOTTEN = 'forgotten'

/**
 * How far a batch has come, kept in its sandbox beside the commands' records, by which another attempt, or another activity with the
 * same key, goes on behind what is done. Before whatever follows a change, or is one, the results so far are there: so of each change
 * at most the last is found done as it would be by itself.
 */
export class BatchRecord {
  readonly #use: Pick<Use, 'sdk'>
  readonly #id: string
  readonly #names: SandboxOperationName[]
  readonly #forget: string[]
  #known: Map<number, unknown> | undefined
  #unsaved: { index: number; name: SandboxOperationName; result: unknown }[] = []

  /** @param forget ids of commands and batches whose records go */
  constructor(use: Pick<Use, 'sdk'>, id: string, names: SandboxOperationName[], forget: string[]) {
    this.#use = use
    this.#id = id
    this.#names = names
    this.#forget = forget
  }

  /** The result of an operation, from the record or by doing it. */
  async resultOf(index: number, work: () => Promise<unknown>): Promise<unknown> {
    this.#known ??= batchLeavesRecord(this.#names) ? await this.#read() : new Map<number, unknown>()
    if (this.#known.has(index)) return this.#known.get(index)
    const name = this.#names[index]!
    if (changes(name) || this.#unsaved.some((earlier) => changes(earlier.name))) await this.#save(index)
    // What an operation without a result gives has to keep its place.
    const result = (await work()) ?? null
    this.#unsaved.push({ index, name, result })
    return result
  }

  get #folder(): string {
    return `${RUNNER_HOME}/batches/${this.#id}`
  }

  /** @throws `OutcomeUnknown` where it has been done, and its record is not kept any more */
  async #read(): Promise<Map<number, unknown>> {
    const mark = `${RUNNER_HOME}/forgotten/${this.#id}`
    const line = `cat ${this.#folder}/* 2>/dev/null || [ ! -e ${mark} ] || echo ${FORGOTTEN}`
    const forget = forgetCommand(RUNNER_HOME, this.#forget)
    const { stdout } = await this.#use.sdk((sandbox) => sandbox.commands.run(`${line}\n${forget}`))
    if (stdout.trim() === FORGOTTEN)
      throw failure('OutcomeUnknown', 'the batch was done; its record is not kept any more')
    return new Map(stdout.split('\n').flatMap(parseEntry))
  }

  /** A file for each time, named by what is done next: one that a death cut short is written again before that is. */
  async #save(next: number): Promise<void> {
    const lines = this.#unsaved
      .filter(({ name }) => !TOKENS.includes(name))
      .map(({ index, result }) => `${JSON.stringify([index, result])}\n`)
    this.#unsaved = []
    if (lines.length > 0)
      await this.#use.sdk((sandbox) => sandbox.files.write(`${this.#folder}/${next}`, lines.join('')))
  }
}

/** None of a line that was cut short. */
function parseEntry(line: string): [number, unknown][] {
  try {
    return [JSON.parse(line) as [number, unknown]]
  } catch {
    return []
  }
}
