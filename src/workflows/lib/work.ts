import { uuid4 } from '@temporalio/workflow'
import type { Checkpoint } from '../../activities/job/checkpoints.ts'
import type { SandboxEgress } from '../../activities/lib/egress-headers.ts'
import type { SandboxTarget } from '../../activities/lib/target.ts'
import type { AgentJobSpec } from '../../contract/spec.ts'
import { perform } from './activities.ts'
import type { Setup } from './setup.ts'

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

/** The sandbox has this sentinel now. */
export function noteWritten(work: Work, sentinel: string): void {
  work.sentinel = sentinel
  work.nextSentinel = uuid4()
}

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

/**
 * Brings the work into a new sandbox as it was last saved, and what the repeated steps make.
 *
 * @param target asked anew for each activity: what it says of the sandbox changes
 */
export async function restoreWork(
  target: () => SandboxTarget,
  spec: AgentJobSpec,
  work: Work,
  { checkpoint, setup }: { checkpoint: Checkpoint; setup: Setup },
): Promise<void> {
  const { repo } = spec
  const { baseCommit } = work
  const egress = egressOf(spec)
  // A key is used once in each sandbox.
  const restore = (summary: string, key: string): Promise<void> =>
    perform('restoreCheckpoint', summary, { ...target(), repo, egress, baseCommit, checkpoint, key })
  await restore('restore the work from its checkpoint', 'restore')
  noteWritten(work, checkpoint.sentinel)
  await setup.repeat(target)
  if (!setup.isEmpty) await restore('restore the files that the repeated steps touched', 'restore-again')
}
