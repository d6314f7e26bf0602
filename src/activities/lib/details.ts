import type { SandboxDetails, Snapshot } from '../../contract/operations/results.ts'
import type { SandboxInfo, SnapshotInfo } from './e2b.ts'

export const sandboxDetails = (info: SandboxInfo): SandboxDetails => ({
  sandboxId: info.sandboxId,
  templateId: info.templateId,
  ...(info.name && { name: info.name }),
  state: info.state,
  metadata: info.metadata,
  cpuCount: info.cpuCount,
  memoryMB: info.memoryMB,
  startedAt: info.startedAt.getTime(),
  endAt: info.endAt.getTime(),
})

export const snapshotOf = ({ snapshotId, names }: SnapshotInfo): Snapshot => ({ snapshotId, names })
