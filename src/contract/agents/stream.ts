import { type AgentCli, type AgentEvent, parseLine } from './agent.ts'

/** A longer line is left out: it has a whole file in it, or isn't an agent's. Characters. */
const MAX_LINE = 4 * 1024 * 1024

/** What the standard output of an agent tells, as it comes. */
export class AgentStream {
  readonly #read: AgentCli['read']
  #begun = ''
  /** Whether the rest of the line that has begun is to be left out. */
  #skipping = false
  #conversation: string | undefined

  constructor({ read }: Pick<AgentCli, 'read'>) {
    this.#read = read
  }

  push(text: string): AgentEvent[] {
    const lines = (this.#begun + text).split('\n')
    this.#begun = lines.pop() ?? ''
    const events = lines.flatMap((line) => this.#take(line))
    const tooLong = this.#begun.length > MAX_LINE
    // The newline behind an object comes with what is printed next, which may be hours later.
    const whole = !this.#skipping && this.#begun.endsWith('}') && parseLine(this.#begun) !== undefined
    if (whole) events.push(...this.#take(this.#begun))
    if (whole || tooLong) [this.#begun, this.#skipping] = ['', true]
    return this.#withoutRepeats(events)
  }

  /** What there is to know, when the stream has ended. */
  end(): AgentEvent[] {
    const line = this.#begun
    this.#begun = ''
    return this.#withoutRepeats(line ? this.#take(line) : [])
  }

  #take(line: string): AgentEvent[] {
    const skipping = this.#skipping
    this.#skipping = false
    return skipping ? [] : this.#read(line)
  }

  /** Some agents name their conversation in each line. */
  #withoutRepeats(events: AgentEvent[]): AgentEvent[] {
    return events.filter((event) => {
      if (event.type !== 'conversation') return true
      const isNew = event.id !== this.#conversation
      this.#conversation = event.id
      return isNew
    })
  }
}
