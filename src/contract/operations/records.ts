import type { SandboxOperationName } from './table.ts'

/** A durable command that has ended: by the key of what ran it, or by its id where it was started and waited for. */
export type FinishedCommand = { key: string } | { commandId: string }

/** Whether the operation launches a durable command, of which the runner keeps a record in the sandbox. */
export const leavesRecord = (name: SandboxOperationName): boolean =>
  (name.startsWith('git.') && !['git.status', 'git.branches'].includes(name)) ||
  [
    'commands.run',
    'commands.start',
    'commands.sendStdin',
    'commands.closeStdin',
    'network.waitForPort',
  ].includes(name)
