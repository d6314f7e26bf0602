import type { Breach } from '../../contract/guards.ts'
import type { DiffSummary } from '../../contract/job.ts'
import type { AgentJobSpec } from '../../contract/spec.ts'
import { perform } from './activities.ts'
import type { Workspace } from './workspace.ts'

/** What guards judge, a person approves, and is committed then: the work as it was at one moment, whatever still writes to it. */
interface Look {
  diff: DiffSummary
  /** Names the work; workers of an earlier version don't. */
  seen: string | undefined
  breaches: Breach[]
}

export async function readDiff(workspace: Workspace): Promise<Pick<Look, 'diff' | 'seen'>> {
  const { baseCommit } = workspace
  const { seen, ...diff } = await workspace.read((target) =>
    perform('readDiff', 'read the diff', { ...target, baseCommit }),
  )
  return { diff, seen }
}

/** Where the sandbox is lost in between, what a process had just written may be gone with it: then both look anew. */
export async function lookAt(workspace: Workspace, { guards, repo }: AgentJobSpec): Promise<Look> {
  const { baseCommit } = workspace
  for (;;) {
    const { diff, seen } = await readDiff(workspace)
    if (!guards) return { diff, seen, breaches: [] }
    const input = { baseCommit, base: repo.base, guards, seen }
    const { breaches } = await workspace.read((target) =>
      perform('checkGuards', 'check the guards', { ...target, ...input }),
    )
    if (breaches) return { diff, seen, breaches }
  }
}
