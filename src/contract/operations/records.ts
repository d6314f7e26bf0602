import type { SandboxOperationName } from './table.ts'

/** A durable command that has ended: by the key of what ran it, or by its id where it was started and waited for. */
export type FinishedCommand = { key: string } | { commandId: string }

/**
 * Whether a second activity of the operation would do harm, since nothing tells it what the first did: a session doesn't hand it over from
 * one run to the next, where its answer is kept for whoever asks again.
 */
export const isDoneOnce = (name: SandboxOperationName): boolean =>
  [
    'code.createContext',
    'code.restartContext',
    'code.removeContext',
    'files.rename',
    'sandbox.createSnapshot',
    'sandbox.fork',
  ].includes(name)

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

const READS: SandboxOperationName[] = [
  'commands.list',
  'files.read',
  'files.list',
  'files.exists',
  'files.getInfo',
  'git.status',
  'git.branches',
  'network.getHost',
  'network.getMcp',
]

/** Whether it may leave the sandbox as it wasn't before, or takes as long as others may need for that. */
export const changes = (name: SandboxOperationName): boolean => !READS.includes(name)

/** Whether a batch of these keeps a record in the sandbox of how far it has come. */
export const batchLeavesRecord = (names: SandboxOperationName[]): boolean =>
  names.length > 1 && names.some(changes)
