import type { AgentCli, AgentEvent } from './agent.ts'
import { AgentStream } from './stream.ts'

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
  /** Whether that was of its model's vendor, who may answer later, and nothing has come since. */
  unavailable?: boolean
  /** Whether it has ended as it has spent what it may. */
  spent?: boolean
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
  readonly #stream: AgentStream
  readonly #report: AgentReport = {
    conversation: null,
    message: '',
    error: null,
    toolCalls: 0,
    usage: { inputTokens: 0, outputTokens: 0, costUsd: 0 },
    last: [],
  }
  #lines = ''

  /** @param mask takes secrets out of a text, before it is cut */
  constructor({ read }: Pick<AgentCli, 'read'>, mask = (text: string): string => text) {
    this.#stream = new AgentStream({ read: (line) => read(mask(line)) })
  }

  push(text: string): void {
    for (const event of this.#stream.push(text)) this.#note(event)
  }

  /** What is known so far. */
  get report(): AgentReport {
    return this.#report
  }

  /** What there is to know, when the stream has ended. */
  end(): AgentReport {
    for (const event of this.#stream.end()) this.#note(event)
    return this.#report
  }

  #note(event: AgentEvent): void {
    const report = this.#report
    if (event.type === 'message' || event.type === 'toolCall' || event.type === 'usage')
      report.unavailable = false
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
        report.unavailable = event.unavailable ?? false
        if (event.spent) report.spent = true
        this.#remember(`error: ${event.message}`)
        break
      case 'thought':
      case 'edit':
    }
  }

  #remember(text: string): void {
    const line = text.replaceAll(/\s+/g, ' ').trim().slice(0, MAX_LINE)
    if (line) this.#report.last = [...this.#report.last, line].slice(-MAX_LAST)
  }
}
