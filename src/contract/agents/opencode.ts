import { type AgentCli, asNumber, asText, edits, type Json, parseLine, words } from './agent.ts'

/** Name of the provider that stands for `baseUrl` in its configuration. */
const PROVIDER = 'holdfast'

export const opencode: AgentCli = {
  // The database and what isn't yet in it; beside them are logs, programs and keys.
  state: ['storage', 'opencode.db', 'opencode.db-wal'].map((name) => `~/.local/share/opencode/${name}`),
  program: 'opencode',
  install: 'npm install -g opencode-ai',
  keyVariable: 'OPENAI_API_KEY',
  host: 'https://api.openai.com',
  keyHeader: 'Authorization',
  command({ conversation, model, baseUrl }) {
    const name = baseUrl && model ? `${PROVIDER}/${model}` : model
    return {
      line: words(
        'opencode',
        'run',
        '--format',
        'json',
        '--thinking',
        ...(name ? ['--model', name] : []),
        ...(conversation ? ['--session', conversation] : []),
      ),
      envs: {
        OPENCODE_DISABLE_AUTOUPDATE: '1',
        ...(baseUrl && {
          OPENCODE_DISABLE_MODELS_FETCH: '1',
          OPENCODE_CONFIG_CONTENT: JSON.stringify(configuration(baseUrl, model)),
        }),
      },
    }
  },
  read(line) {
    const event = parseLine(line)
    if (!event) return []
    const id = asText(event.sessionID)
    const { part } = event
    const told = id ? [{ type: 'conversation' as const, id }] : []
    switch (event.type as unknown) {
      case 'step_start':
        return told
      case 'text':
        return [{ type: 'message', text: asText(part?.text) }]
      case 'reasoning':
        return [{ type: 'thought', text: asText(part?.text) }]
      case 'tool_use':
        return [
          {
            type: 'toolCall',
            tool: asText(part?.tool),
            input: asText(part?.state?.title ?? part?.state?.input),
          },
          ...edits(edited(asText(part?.tool), part?.state?.input)),
        ]
      case 'step_finish':
        return [
          {
            type: 'usage',
            inputTokens: asNumber(part?.tokens?.input) + asNumber(part?.tokens?.cache?.read),
            outputTokens: asNumber(part?.tokens?.output) + asNumber(part?.tokens?.reasoning),
            costUsd: asNumber(part?.cost),
          },
        ]
      case 'error': {
        const data = event.error?.data
        const message = asText(data?.message ?? event.error)
        const unavailable = (data?.isRetryable as unknown) === true
        return [...told, { type: 'error', message, ...(unavailable && { unavailable }) }]
      }
      default:
        return []
    }
  },
}

/** The files that a tool changes, by its input. */
function edited(tool: string, input: Json | undefined): unknown[] {
  if (tool === 'apply_patch')
    return [...asText(input?.patchText).matchAll(/^\*\*\* (?:Add|Update|Delete) File: (.+)$/gm)].map(
      ([, path]) => path,
    )
  return tool === 'edit' || tool === 'write' ? [input?.filePath] : []
}

const configuration = (baseURL: string, model = ''): object => ({
  provider: {
    [PROVIDER]: {
      npm: '@ai-sdk/openai-compatible',
      options: { baseURL, apiKey: '{env:OPENAI_API_KEY}' },
      models: { [model]: {} },
    },
  },
})
