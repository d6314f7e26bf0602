import { HoldfastError, type AgentJobInput, type Job, type Jobs, secret } from '../index.ts'
import { FIX_PATCH } from './fix.ts'

/** The demo's job: the same call that a backend makes. */
export const demoSpec = (options: { number: number; url: string; folder: string }): AgentJobInput => ({
  id: `fix-rounding-${options.folder}-${options.number}`,
  repo: { url: options.url, base: 'main', auth: secret('GIT_TOKEN') },
  branch: `holdfast/fix-rounding-${options.number}`,
  steps: [
    { name: 'see the test fail', run: '! node --test' },
    { name: 'carry when a unit rounds up', patch: FIX_PATCH },
  ],
  checks: [{ name: 'npm test', run: 'npm test', timeout: '5m' }],
  review: { required: true, timeout: '7d', onTimeout: 'reject' },
  commit: {
    message:
      'Carry when a unit rounds up to a whole larger one\n\nformat(3_599_600) gave "59m 60s"; now it is "1h".',
    author: { name: 'Holdfast Demo', email: 'demo@holdfast.invalid' },
  },
  push: true,
})

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

export type { Job }
