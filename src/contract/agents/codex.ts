import {
  type AgentCli,
  type AgentEvent,
  asList,
  asNumber,
  asText,
  edits,
  errorInWords,
  type Json,
  parseLine,
  words,
} from './agent.ts'

export const codex: AgentCli = {
  state: ['~/.codex/sessions'],
  program: 'codex',
  install: 'npm install -g @openai/codex',
  keyVariable: 'OPENAI_API_KEY',
  host: 'https://api.openai.com',
  keyHeader: 'Authorization',
  countsConversation: true,
  command({ conversation, model, baseUrl }) {
    // The sandbox is the border; codex's own would be one within it.
    const options = [
      '--json',
      '--skip-git-repo-check',
      '--dangerously-bypass-approvals-and-sandbox',
      ...(model ? ['--model', model] : []),
      ...(baseUrl ? provider(baseUrl) : []),
    ]
    const line = conversation
      ? words('codex', 'exec', 'resume', ...options, conversation, '-')
      : words('codex', 'exec', ...options, '-')
    return { line, envs: {} }
  },
  read(line) {
    const event = parseLine(line)
    switch (event?.type as unknown) {
      case 'thread.started':
        return [{ type: 'conversation', id: asText(event?.thread_id) }]
      case 'item.completed':
        return item(event?.item)
      case 'turn.completed':
        return [
          {
            type: 'usage',
            inputTokens: asNumber(event?.usage?.input_tokens),
            outputTokens: asNumber(event?.usage?.output_tokens),
            costUsd: 0,
          },
        ]
      case 'turn.failed':
      case 'error':
        return [errorInWords(asText(event?.error?.message ?? event?.message))]
      default:
        return []
    }
  },
}

function item(done: Json | undefined): AgentEvent[] {
  switch (done?.type as unknown) {
    case 'agent_message':
      return [{ type: 'message', text: asText(done?.text) }]
    case 'reasoning':
      return [{ type: 'thought', text: asText(done?.text) }]
    case 'command_execution':
      return [{ type: 'toolCall', tool: 'shell', input: asText(done?.command) }]
    case 'file_change':
      return [
        { type: 'toolCall', tool: 'edit', input: asText(done?.changes) },
        ...edits(asList(done?.changes).map(({ path }) => path)),
      ]
    case 'mcp_tool_call':
      return [{ type: 'toolCall', tool: asText(done?.tool), input: asText(done?.arguments) }]
    case 'web_search':
      return [{ type: 'toolCall', tool: 'web_search', input: asText(done?.query) }]
    default:
      return []
  }
}

const provider = (baseUrl: string): string[] => [
  '-c',
  'model_provider="holdfast"',
  '-c',
  `model_providers.holdfast={name="holdfast",base_url=${JSON.stringify(baseUrl)},env_key="OPENAI_API_KEY",wire_api="responses"}`,
]
