import { agentCli, isAgentPreset } from '../../contract/agents/index.ts'
import type { AgentEvent } from '../../contract/agents/agent.ts'
import { cleanLines } from './text.ts'

/** What a line of an agent's output tells a person; nothing, where it is only for machines. @param agent undefined for one of the user's own */
export function linesOfAgent(agent: string | undefined): (line: string) => string[] {
  const cli = agentCli(isAgentPreset(agent) ? agent : { run: '' })
  return (line) => cli.read(line).flatMap(inWords)
}

function inWords(event: AgentEvent): string[] {
  switch (event.type) {
    case 'line':
    case 'message':
      return cleanLines(event.text)
    case 'thought':
      return cleanLines(`… ${event.text}`)
    case 'edit':
      return cleanLines(`✎ ${event.path}`).slice(0, 1)
    case 'toolCall':
      return cleanLines(`⚙ ${event.tool}: ${event.input}`).slice(0, 1)
    case 'error':
      return cleanLines(`! ${event.message}`)
    case 'conversation':
    case 'usage':
      return []
  }
}
