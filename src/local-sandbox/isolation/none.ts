import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { interpreterPaths, type FindInterpreter } from '../interpreter/environment.ts'
import type { IsolationDriver } from './driver.ts'
import { launch } from './launch.ts'
import {
  descendants,
  handleOf,
  isAlive,
  signal,
  untilGone,
  type LiveProcess,
  type ProcessHandle,
} from './processes.ts'

/**
 * No isolation at all: envd and its commands run as this very user. For throw-away machines. The sandbox's home is its
 * folder on the host, since /home/user is the host's.
 */
export function noIsolation(
  path: string,
  node: string,
  trust: string,
  interpreter: FindInterpreter,
): IsolationDriver {
  return {
    kind: 'none',
    limits: 'none',
    root: false,
    owners: () => ({ root: undefined, user: undefined }),

    async start({ folders, envdScript }) {
      const files = interpreter()
      const { child, waiting, configure } = launch([node, envdScript], folders, {
        socket: join(folders.run, 'envd.sock'),
        egressSocket: join(folders.egress, 'egress.sock'),
        egressPort: 0,
        runDir: folders.run,
        user: 'user',
        root: false,
        home: folders.home,
        path,
        trust,
        interpreter: interpreterPaths(files, files.environment ?? '', files.program, folders.run),
      })
      await waiting
      return { handle: handleOf(child.pid!), configure }
    },

    processes,

    async kill(sandboxId, handle) {
      if (!handle) return
      // With no namespace to end as one, kill until none is left: a fork can be quicker than one look.
      for (let all = processes(sandboxId, handle); all.length > 0; all = processes(sandboxId, handle)) {
        for (const { pid } of all) signal(pid, 'SIGKILL')
        await new Promise((resolve) => setImmediate(resolve))
      }
      await untilGone(handle)
    },
  }
}

/** envd, what it started, and what those left behind: known by the variable that every command gets. */
function processes(sandboxId: string, handle: ProcessHandle): LiveProcess[] {
  const own = isAlive(handle) ? descendants(handle.pid) : []
  const known = new Set(own.map(({ pid }) => pid))
  const marker = `E2B_SANDBOX_ID=${sandboxId}`
  const orphans = readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && !known.has(pid) && environment(pid).includes(marker))
    .flatMap((pid) => descendants(pid))
  return [...own, ...orphans]
}

function environment(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
  } catch {
    return []
  }
}
