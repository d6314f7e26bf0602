import {
  type AgentCli,
  type AgentEvent,
  asList,
  asNumber,
  asText,
  edits,
  errorInWords,
  parseLine,
  words,
} from './agent.ts'

const EDITING = new Set(['Edit', 'MultiEdit', 'Write', 'NotebookEdit'])

export const claude: AgentCli = {
  state: ['~/.claude/projects'],
  program: 'claude',
  install: 'npm install -g @anthropic-ai/claude-code',
  keyVariable: 'ANTHROPIC_API_KEY',
  host: 'https://api.anthropic.com',
  keyHeader: 'x-api-key',
  command: ({ conversation, model, baseUrl, maxCostUsd }) => ({
    line: words(
      'claude',
      '--print',
      '--output-format',
      'stream-json',
      '--verbose',
      // The sandbox is the border. As root it refuses this.
      '--dangerously-skip-permissions',
      ...(model ? ['--model', model] : []),
      ...(maxCostUsd ? ['--max-budget-usd', String(maxCostUsd)] : []),
      ...(conversation ? ['--resume', conversation] : []),
    ),
    envs: { DISABLE_AUTOUPDATER: '1', ...(baseUrl && { ANTHROPIC_BASE_URL: baseUrl }) },
  }),
  read(line) {
    const event = parseLine(line)
    switch (event?.type as unknown) {
      case 'system':
        return event?.session_id ? [{ type: 'conversation', id: asText(event.session_id) }] : []
      case 'assistant':
        return asList(event?.message?.content).flatMap((block): AgentEvent[] => {
          if ((block.type as unknown) === 'text') return [{ type: 'message', text: asText(block.text) }]
          if ((block.type as unknown) === 'thinking')
            return [{ type: 'thought', text: asText(block.thinking) }]
          if ((block.type as unknown) !== 'tool_use') return []
          const tool = asText(block.name)
          return [
            { type: 'toolCall', tool, input: asText(block.input) },
            ...edits(EDITING.has(tool) ? [block.input?.file_path ?? block.input?.notebook_path] : []),
          ]
        })
      case 'result': {
        const { usage } = event ?? {}
        const cached = asNumber(usage?.cache_read_input_tokens) + asNumber(usage?.cache_creation_input_tokens)
        const failed = (event?.is_error as unknown) === true
        const spent = (event?.subtype as unknown) === 'error_max_budget_usd'
        return [
          {
            type: 'usage',
            inputTokens: asNumber(usage?.input_tokens) + cached,
            outputTokens: asNumber(usage?.output_tokens),
            costUsd: asNumber(event?.total_cost_usd),
          },
          ...(spent ? [{ type: 'error' as const, message: asText(event?.subtype), spent }] : []),
          ...(failed && !spent ? [errorInWords(asText(event?.result ?? event?.subtype))] : []),
        ]
      }
      default:
        return []
    }
  },
}
