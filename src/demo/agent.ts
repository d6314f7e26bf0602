import { type AgentJobInput, secret } from '../index.ts'
import type { Model } from './model.ts'

const PACKAGE = 'opencode-ai@1.18.33'

/** Where the agent is installed. A template would have it already; the one that everybody has does not. */
export const AGENT_HOME = '/home/user/.local'

/** The edit by a coding agent. */
export const agentSteps = ({ name, baseUrl }: Model): AgentJobInput['steps'] => [
  {
    name: `install ${PACKAGE}`,
    run: `npm install --global --no-fund --no-audit --loglevel=error --prefix ${AGENT_HOME} ${PACKAGE}`,
    rerun: 'always',
  },
  {
    agent: 'opencode',
    prompt:
      'A test fails: format(3_599_600) gives "59m 60s", where "1h" is right. Rounding up must carry into the larger unit. Mend src/format.js.',
    model: name,
    ...(baseUrl && { baseUrl }),
    key: secret('MODEL_KEY'),
  },
]
