import type { AgentCli, AgentEvent } from './agent.ts'

/** What a turn used. */
export interface Usage {
  inputTokens: number
  outputTokens: number
  /** By the agent's own account; 0 where it doesn't say. */
  costUsd: number
}

/** What was used since `before`. */
export const usedSince = (all: Usage, before: Usage): Usage => ({
  inputTokens: Math.max(0, all.inputTokens - before.inputTokens),
  outputTokens: Math.max(0, all.outputTokens - before.outputTokens),
  costUsd: Math.max(0, all.costUsd - before.costUsd),
})

/** What an agent did in a turn, bounded. */
export interface AgentReport {
  /** To go on with; null where it named none. */
  conversation: string | null
  /** Its answer, at most 4,000 characters. */
  message: string
  /** What it complained of last. */
  error: string | null
  toolCalls: number
  usage: Usage
  /** The last things that it did, each in a line of at most 200 characters. */
  last: string[]
}

const MAX_MESSAGE = 4_000
const MAX_LINE = 200
const MAX_LAST = 20

/** Reads the standard output of an agent as it comes. */
export class AgentReader {
  readonly #read: AgentCli['read']
  readonly #mask: (text: string) => string
  readonly #report: AgentReport = {
    conversation: null,
    message: '',
    error: null,
    toolCalls: 0,
    usage: { inputTokens: 0, outputTokens: 0, costUsd: 0 },
    last: [],
  }
  #begun = ''
  #lines = ''

  /** @param mask takes secrets out of a text, before it is cut */
  constructor({ read }: Pick<AgentCli, 'read'>, mask = (text: string): string => text) {
    this.#read = read
    this.#mask = mask
  }

  push(text: string): void {
    const lines = (this.#begun + text).split('\n')
    this.#begun = lines.pop() ?? ''
    for (const line of lines) this.#take(line)
  }

  /** What is known so far. */
  get report(): AgentReport {
    return this.#report
  }

  /** What there is to know, when the stream has ended. */
  end(): AgentReport {
    if (this.#begun) this.#take(this.#begun)
    this.#begun = ''
    return this.#report
  }

  #take(line: string): void {
    for (const event of this.#read(this.#mask(line))) this.#note(event)
  }

  #note(event: AgentEvent): void {
    const report = this.#report
    switch (event.type) {
      case 'conversation':
        report.conversation = event.id.slice(0, MAX_LINE)
        break
      case 'line':
        this.#lines = `${this.#lines}${event.text}\n`.slice(-MAX_MESSAGE)
        report.message = this.#lines.trim()
        break
      case 'message':
        report.message = event.text.slice(-MAX_MESSAGE)
        this.#remember(event.text)
        break
      case 'toolCall':
        report.toolCalls++
        this.#remember(`${event.tool}: ${event.input}`)
        break
      case 'usage':
        report.usage.inputTokens += event.inputTokens
        report.usage.outputTokens += event.outputTokens
        report.usage.costUsd += event.costUsd
        break
      case 'error':
        report.error = event.message.slice(0, MAX_MESSAGE)
        this.#remember(`error: ${event.message}`)
    }
  }

  #remember(text: string): void {
    const line = text.replaceAll(/\s+/g, ' ').trim().slice(0, MAX_LINE)
    if (line) this.#report.last = [...this.#report.last, line].slice(-MAX_LAST)
  }
}
