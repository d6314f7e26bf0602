import { expect, test } from 'vitest'
import { agentCli } from '../../src/contract/agents/index.ts'
import { AgentReader } from '../../src/contract/agents/report.ts'

test.each([
  ['claude', `'--max-budget-usd' '2.5'`],
  ['mini-swe-agent', `'--cost-limit' '2.5'`],
] as const)('%s is told what its turn may cost', (agent, words) => {
  const turn = { conversation: null, model: undefined, baseUrl: undefined }
  expect(agentCli(agent).command({ ...turn, maxCostUsd: 2.5 }).line).toContain(words)
})

test('mini-swe-agent has no bound of its own, at which it would end as if all were well', () => {
  const turn = { conversation: null, model: undefined, baseUrl: undefined }
  expect(agentCli('mini-swe-agent').command(turn).line).toContain(`'--cost-limit' '0'`)
})

test.each([
  ['claude', '{"type":"result","subtype":"error_max_budget_usd","is_error":true,"total_cost_usd":3}'],
  ['mini-swe-agent', '\nExit:\nLimitsExceeded'],
] as const)('%s says that it has spent what it may', (agent, text) => {
  const reader = new AgentReader(agentCli(agent))
  reader.push(`${text}\n`)
  expect(reader.end()).toMatchObject({ spent: true })
})
