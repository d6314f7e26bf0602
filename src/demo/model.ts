import type { ChatCompletionRequest } from '@copilotkit/aimock'
import { EDGE_CASE_PATCH, FIX_PATCH } from './fix.ts'
import { startLlmEndpoint } from './llm-endpoint.ts'

/** Whom the demo's agent asks. */
export interface Model {
  /** As the agent calls it. */
  name: string
  baseUrl: string | undefined
  key: string
  /** On this machine; 0 where it is elsewhere. */
  port: number
  /** For people. */
  how: string
  stop(): Promise<void>
}

/** The model that the environment names, or a scripted one on this machine. @param port the scripted one's, from an earlier start */
export async function startModel(env: NodeJS.ProcessEnv, port = 0): Promise<Model> {
  const { OPENAI_API_KEY: key, OPENAI_BASE_URL: baseUrl, HOLDFAST_DEMO_MODEL: model = 'gpt-5.2' } = env
  if (key) {
    const name = baseUrl ? model : `openai/${model}`
    return {
      name,
      baseUrl,
      key,
      port: 0,
      how: `${name}${baseUrl ? ` at ${baseUrl}` : ''}`,
      stop: async () => undefined,
    }
  }
  const endpoint = await startLlmEndpoint(scripted, port)
  return {
    name: 'scripted',
    baseUrl: endpoint.baseUrl,
    key: 'no-key-is-needed-here',
    port: endpoint.port,
    how: 'a scripted one on this machine (set OPENAI_API_KEY for a real one)',
    stop: () => endpoint.stop(),
  }
}

/** Knows the mend, and one more test for whoever asks for changes. */
function scripted({ messages, tools = [] }: ChatCompletionRequest) {
  const names = tools.map(({ function: { name } }) => name)
  if (!names.includes('bash')) return { content: 'Carry when a unit rounds up' }
  const turns = messages.filter(({ role }) => role === 'user').length
  const since = messages.slice(messages.findLastIndex(({ role }) => role === 'user'))
  if (since.some(({ role }) => role === 'tool'))
    return {
      content:
        turns > 1
          ? 'I added a test of the edge that the fix implies.'
          : 'I round before splitting, so that what rounds up carries.',
    }
  const command = `git apply <<'PATCH'\n${turns > 1 ? EDGE_CASE_PATCH : FIX_PATCH}PATCH`
  return {
    content:
      turns > 1
        ? 'A test of it, then.'
        : 'The last unit is rounded after the others are taken off: it can not carry.',
    toolCalls: [{ name: 'bash', arguments: JSON.stringify({ command, description: 'Change the files' }) }],
  }
}
