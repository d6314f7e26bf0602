import { readFile } from 'node:fs/promises'
import type { IsolationDriver, SandboxFolders } from './driver.ts'
import type { Limiter } from './limits.ts'
import { descendants, handleOf, isAlive, signal, untilGone, type ProcessHandle } from './processes.ts'

/** Process 1 of a sandbox, which the isolation tool has told of. */
export async function firstProcess({ info }: SandboxFolders): Promise<ProcessHandle> {
  const { 'child-pid': pid } = JSON.parse(await readFile(info, 'utf8')) as { 'child-pid': number }
  return handleOf(pid)
}

/** What drivers have in common whose sandboxes are pid namespaces: the handle is process 1's. */
export function pidNamespace(limiter: Limiter): Pick<IsolationDriver, 'processes' | 'kill'> {
  return {
    processes: (_sandboxId, handle) => (isAlive(handle) ? descendants(handle.pid) : []),

    // The kernel kills all others before it lets go of process 1.
    async kill(sandboxId, handle) {
      if (handle && isAlive(handle)) signal(handle.pid, 'SIGKILL')
      if (handle) await untilGone(handle)
      await limiter.release(sandboxId)
    },
  }
}
