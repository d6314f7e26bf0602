import type { AgentCli } from './agent.ts'
import { aider } from './aider.ts'
import { claude } from './claude.ts'
import { codex } from './codex.ts'
import { custom, type CustomAgent } from './custom.ts'
import { miniSweAgent } from './mini-swe-agent.ts'
import { opencode } from './opencode.ts'

const PRESETS = { opencode, codex, claude, aider, 'mini-swe-agent': miniSweAgent }

export type AgentPreset = keyof typeof PRESETS

export const AGENT_PRESETS = Object.keys(PRESETS) as [AgentPreset, ...AgentPreset[]]

export const isAgentPreset = (name: unknown): name is AgentPreset =>
  typeof name === 'string' && Object.hasOwn(PRESETS, name)

/** How an agent is called and read: one by name, or by command line. */
export const agentCli = (agent: AgentPreset | CustomAgent): AgentCli =>
  typeof agent === 'string' ? PRESETS[agent] : custom(agent)
