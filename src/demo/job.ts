import { HoldfastError, type AgentJobInput, type Jobs, secret } from '../index.ts'
import { agentSteps, AGENT_HOME } from './agent.ts'
import { EDGE_CASE_PATCH, FIX_PATCH } from './fix.ts'
import type { Model } from './model.ts'

export interface DemoJob {
  number: number
  url: string
  folder: string
  /** Whom an agent asks; without one a patch is the edit. */
  model: Model | undefined
}

/** The demo's job: the same call that a backend makes. */
export const demoSpec = (options: DemoJob): AgentJobInput => ({
  id: `fix-rounding-${options.model ? 'agent-' : ''}${options.folder}-${options.number}`,
  repo: { url: options.url, base: 'main', auth: secret('GIT_TOKEN') },
  branch: `holdfast/fix-rounding-${options.model ? 'agent-' : ''}${options.number}`,
  steps: [
    { name: 'see the test fail', run: '! npm test -- --test-reporter=spec' },
    ...(options.model
      ? agentSteps(options.model)
      : [{ name: 'carry when a unit rounds up', patch: FIX_PATCH }]),
  ],
  checks: [{ name: 'npm test', run: 'npm test -- --test-reporter=spec', timeout: '5m' }],
  review: { required: true, timeout: '7d', onTimeout: 'reject' },
  commit: {
    message:
      'Carry when a unit rounds up to a whole larger one\n\nformat(3_599_600) gave "59m 60s"; now it is "1h".',
    author: { name: 'Holdfast Demo', email: 'demo@holdfast.invalid' },
  },
  push: true,
  sandbox: {
    envs: {
      npm_config_update_notifier: 'false',
      ...(options.model && { PATH: `${AGENT_HOME}/bin:/usr/local/bin:/usr/bin:/bin` }),
    },
  },
})

/** The second edit, for whoever asks for changes: no agent is here to read the words, so it is always the same one. */
export const secondEdit: AgentJobInput['steps'] = [
  { name: 'note the feedback', run: 'printf "%s\\n" "$HOLDFAST_FEEDBACK"' },
  { name: 'test the edge that the fix implies', patch: EDGE_CASE_PATCH },
]

/** Whether the job of that id still runs: then this start carries it on, and otherwise it makes a new one. */
export async function jobState(jobs: Jobs, id: string): Promise<'none' | 'running' | 'ended'> {
  try {
    return (await jobs.get(id).describe()).running ? 'running' : 'ended'
  } catch (error) {
    if (error instanceof HoldfastError && error.type === 'JobNotFound') return 'none'
    throw error
  }
}

/** The first unused number from `from` on, or `from` itself where its job still runs. */
export async function currentNumber(
  jobs: Jobs,
  from: number,
  idOf: (number: number) => string,
): Promise<{ number: number; carriedOn: boolean }> {
  for (let number = from; ; number++) {
    const state = await jobState(jobs, idOf(number))
    if (state !== 'ended') return { number, carriedOn: state === 'running' }
  }
}
