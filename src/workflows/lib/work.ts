import { uuid4 } from '@temporalio/workflow'
import type { Checkpoint } from '../../activities/job/checkpoints.ts'
import type { SandboxEgress } from '../../activities/lib/egress-headers.ts'
import type { SandboxTarget } from '../../activities/lib/target.ts'
import type { AgentJobSpec } from '../../contract/spec.ts'
import { perform } from './activities.ts'

/** What is known of a job's work, whichever sandbox has it. */
export interface Work {
  baseCommit: string
  checkpoint: Checkpoint | null
  /** What was last written into the sandbox; empty where nothing was. */
  sentinel: string
  nextSentinel: string
  /** Sandboxes lost since something was achieved. */
  losses: number
  /** Commands named so far. */
  keys: number
}

export const newWork = (): Work => ({
  baseCommit: '',
  checkpoint: null,
  sentinel: '',
  nextSentinel: uuid4(),
  losses: 0,
  keys: 0,
})

/** The rules that the job's sandboxes are made with; nobody else changes them. */
export const egressOf = ({ sandbox }: AgentJobSpec): SandboxEgress => {
  const { allowInternetAccess, network } = sandbox
  return { allowInternetAccess, network }
}

export function cloneWork(target: SandboxTarget, spec: AgentJobSpec, { nextSentinel: newSentinel }: Work) {
  const { repo, branch, push } = spec
  const mayExist = push && push.onConflict === 'rebase'
  return perform('cloneRepository', `clone ${repo.url}`, {
    ...target,
    repo,
    egress: egressOf(spec),
    branch,
    mayExist,
    newSentinel,
    key: `clone-${newSentinel}`,
  })
}

export const saveWork = (
  target: SandboxTarget,
  { baseCommit, checkpoint: previous, nextSentinel: newSentinel }: Work,
  summary: string,
  more: { agents: string[] | undefined; firstRunId: string },
) => {
  // Another one once this has succeeded: what is saved then is the work as it is then.
  const key = `save-${newSentinel}`
  return perform('saveCheckpoint', summary, { ...target, baseCommit, previous, newSentinel, key, ...more })
}

export const restoreWork = (
  target: SandboxTarget,
  spec: AgentJobSpec,
  { baseCommit }: Work,
  { summary, checkpoint }: { summary: string; checkpoint: Checkpoint },
): Promise<void> =>
  perform('restoreCheckpoint', summary, {
    ...target,
    repo: spec.repo,
    egress: egressOf(spec),
    baseCommit,
    checkpoint,
  })
