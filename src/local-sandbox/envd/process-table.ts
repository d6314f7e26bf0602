import { Code, ConnectError } from '@connectrpc/connect'
import { ManagedProcess, type ProcessSpec } from './managed-process.ts'
import type { Pipes } from './stdio.ts'

// How long an ended process can still be connected to, to learn how it ended.
const keepEndedMs = 30_000

/** The processes clients have started. */
export class ProcessTable {
  #processes = new Map<number, ManagedProcess>()
  #pipes: Pipes

  constructor(pipes: Pipes) {
    this.#pipes = pipes
  }

  async start(spec: ProcessSpec): Promise<ManagedProcess> {
    const process = await ManagedProcess.start(spec, this.#pipes, (ended) => {
      const forget = () => this.#processes.get(ended.pid) === ended && this.#processes.delete(ended.pid)
      setTimeout(forget, keepEndedMs).unref()
    })
    this.#processes.set(process.pid, process)
    return process
  }

  running(): ManagedProcess[] {
    return [...this.#processes.values()].filter(({ end }) => end === undefined)
  }

  /** The process by pid or tag. Throws `not_found`; an ended one counts only with `ended`. */
  find(
    selector:
      | { case: 'pid'; value: number }
      | { case: 'tag'; value: string }
      | { case: undefined; value?: undefined },
    { ended = false } = {},
  ): ManagedProcess {
    const process =
      selector.case === 'pid'
        ? this.#processes.get(selector.value)
        : [...this.#processes.values()].find(
            ({ spec }) => spec.tag !== undefined && spec.tag === selector.value,
          )
    if (!process || (process.end && !ended))
      throw new ConnectError(`process with ${selector.case} ${selector.value} not found`, Code.NotFound)
    return process
  }
}
