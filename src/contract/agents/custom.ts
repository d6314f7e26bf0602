import { type AgentCli, type AgentEvent, asNumber, asText, parseLine } from './agent.ts'

/** An agent by command line: it reads the prompt from its standard input, or from the file `$HOLDFAST_PROMPT`. */
export interface CustomAgent {
  run: string
  /** In place of `run` where there is a conversation to go on with, whose id is in `$HOLDFAST_CONVERSATION`. */
  resume?: string | undefined
  /** In which it sends its key. */
  keyHeader?: string | undefined
  /** Where it keeps its conversations, from `~/` on. */
  state?: string[] | undefined
}

const EVENTS = new Set(['conversation', 'thought', 'message', 'toolCall', 'edit', 'usage', 'error'])

/** What it prints is its answer; lines of JSON may tell more, in the words of `AgentEvent`. */
export const custom = ({ run, resume, keyHeader, state = [] }: CustomAgent): AgentCli => ({
  program: '',
  install: '',
  keyVariable: 'HOLDFAST_AGENT_KEY',
  host: '',
  keyHeader,
  state,
  command: ({ conversation, model, baseUrl }) => ({
    line: conversation !== null && resume ? resume : run,
    envs: {
      ...(conversation && { HOLDFAST_CONVERSATION: conversation }),
      ...(model && { HOLDFAST_AGENT_MODEL: model }),
      ...(baseUrl && { HOLDFAST_AGENT_BASE_URL: baseUrl }),
    },
  }),
  read(line) {
    const event = parseLine(line)
    const type = asText(event?.type)
    if (!event || !EVENTS.has(type)) return [{ type: 'line', text: line }]
    const { id, text, tool, input, path, message } = event
    return [
      {
        conversation: { type: 'conversation', id: asText(id) },
        thought: { type: 'thought', text: asText(text) },
        message: { type: 'message', text: asText(text) },
        toolCall: { type: 'toolCall', tool: asText(tool), input: asText(input) },
        edit: { type: 'edit', path: asText(path) },
        error: {
          type: 'error',
          message: asText(message),
          ...((event.unavailable as unknown) === true && { unavailable: true }),
        },
        usage: {
          type: 'usage',
          inputTokens: asNumber(event.inputTokens),
          outputTokens: asNumber(event.outputTokens),
          costUsd: asNumber(event.costUsd),
        },
      }[type] as AgentEvent,
    ]
  },
})
