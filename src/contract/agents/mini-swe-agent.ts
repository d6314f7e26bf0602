import { type AgentCli, type AgentEvent, words } from './agent.ts'
import { vendorErrors } from './litellm.ts'

/** Each call is a conversation of its own: what came before is told by the prompt. */
export const miniSweAgent: AgentCli = {
  state: [],
  program: 'mini',
  install: 'pip install mini-swe-agent',
  keyVariable: 'OPENAI_API_KEY',
  host: 'https://api.openai.com',
  keyHeader: 'Authorization',
  command: ({ model, baseUrl, maxCostUsd = 0 }) => ({
    line: `mini --yolo --exit-immediately --task "$(cat "$HOLDFAST_PROMPT")" ${words('--cost-limit', String(maxCostUsd), ...(model ? ['--model', baseUrl ? `openai/${model}` : model] : []))}`,
    // By default it ends at 3 USD, as if all were well. Of a model whose price it doesn't know it would fail.
    envs: {
      MSWEA_CONFIGURED: 'true',
      MSWEA_SILENT_STARTUP: '1',
      MSWEA_COST_TRACKING: 'ignore_errors',
      ...(baseUrl && { OPENAI_API_BASE: baseUrl }),
    },
  }),
  read: (line) => [{ type: 'line', text: line }, ...vendorErrors(line), ...spent(line)],
}

/** What its last message is then. */
const spent = (line: string): AgentEvent[] =>
  line.trim() === 'LimitsExceeded' ? [{ type: 'error', message: 'LimitsExceeded', spent: true }] : []
