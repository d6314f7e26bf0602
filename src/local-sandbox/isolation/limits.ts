import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** What one sandbox may use at most. */
export interface Limits {
  cpus: number
  memoryMB: number
  processes: number
  /** Size of one file, in MB. */
  fileMB: number
  /** Size of the disk, in MB; 0 where that of the host is the limit. */
  diskMB: number
}

/** How limits are held: by the kernel's control groups, or only by what each process is limited to. */
export interface Limiter {
  readonly kind: 'cgroup' | 'rlimit'
  /** At most so many processes; by user where not by group. */
  readonly processes: number
  /** Words before a command that put it, and all that it starts, under the limits. */
  prefix(sandboxId: string): string[]
  /** Forgets a sandbox whose processes have gone. */
  release(sandboxId: string): Promise<void>
}

const mount = '/sys/fs/cgroup'
const parent = 'holdfast-sandboxes'
const controllers = '+memory +pids +cpu'

/** Joins the groups whose files come before `--`, then becomes the command. */
const JOIN = 'while [ "$1" != -- ]; do echo $$ >"$1" || exit 1; shift; done; shift; exec "$@"'

/** Control groups where this process may make them (as root, or where a subtree was delegated to it). */
export function openLimiter(limits: Limits): Limiter {
  const perProcess = ['prlimit', '--core=0', `--fsize=${limits.fileMB * 2 ** 20}`]
  const folders = groupFolders()
  if (!folders)
    return {
      kind: 'rlimit',
      processes: limits.processes,
      prefix: () => perProcess,
      release: () => Promise.resolve(),
    }
  return {
    kind: 'cgroup',
    processes: limits.processes,
    prefix(sandboxId) {
      const groups = folders.map((folder) => join(folder, sandboxId))
      for (const group of groups) {
        mkdirSync(group, { recursive: true })
        for (const [file, value] of settings(limits)) setWhereThere(join(group, file), value)
      }
      return [
        'sh',
        '-c',
        JOIN,
        'sh',
        ...groups.map((group) => join(group, 'cgroup.procs')),
        '--',
        ...perProcess,
      ]
    },
    release: (sandboxId) => removeAll(folders.map((folder) => join(folder, sandboxId))),
  }
}

/** Files of version 2 and version 1: each group has those of its own controller and version. */
function settings({ cpus, memoryMB, processes }: Limits): [string, string][] {
  const bytes = String(memoryMB * 2 ** 20)
  const [quota, period] = [Math.round(cpus * 100_000), 100_000]
  return [
    ['memory.max', bytes],
    ['memory.swap.max', '0'],
    ['pids.max', String(processes)],
    ['cpu.max', `${quota} ${period}`],
    ['memory.limit_in_bytes', bytes],
    ['memory.memsw.limit_in_bytes', bytes],
    ['cpu.cfs_period_us', String(period)],
    ['cpu.cfs_quota_us', String(quota)],
  ]
}

/** Folders to make groups in, one for each hierarchy; undefined where there are none for us. */
function groupFolders(): string[] | undefined {
  try {
    const own = new Map(
      readFileSync('/proc/self/cgroup', 'utf8')
        .trim()
        .split('\n')
        .flatMap((line) => {
          const [, names = '', path = '/'] = line.split(':')
          return names.split(',').map((name) => [name, path] as const)
        }),
    )
    const bases = existsSync(join(mount, 'cgroup.controllers'))
      ? [delegate(join(mount, own.get('') ?? '/'))]
      : ['memory', 'pids', 'cpu'].map((name) =>
          firstThere(join(mount, name, own.get(name) ?? '/'), join(mount, name)),
        )
    const folders = bases.map((base) => join(base, parent))
    for (const folder of folders) {
      mkdirSync(folder, { recursive: true })
      // It is there already where another user's server has made it.
      accessSync(folder, constants.W_OK)
    }
    if (folders.length === 1) writeFileSync(join(folders[0]!, 'cgroup.subtree_control'), controllers)
    return folders
  } catch {
    return undefined
  }
}

/** Version 2: the controllers have to be handed down, and a group that hands down holds no processes but the root. */
function delegate(base: string): string {
  try {
    writeFileSync(join(base, 'cgroup.subtree_control'), controllers)
  } catch {
    const leaf = join(base, 'holdfast-server')
    mkdirSync(leaf, { recursive: true })
    for (const pid of readFileSync(join(base, 'cgroup.procs'), 'utf8').trim().split('\n'))
      writeFileSync(join(leaf, 'cgroup.procs'), pid)
    writeFileSync(join(base, 'cgroup.subtree_control'), controllers)
  }
  return base
}

const firstThere = (path: string, otherwise: string): string => (existsSync(path) ? path : otherwise)

function setWhereThere(path: string, value: string): void {
  if (existsSync(path)) writeFileSync(path, value)
}

/** The kernel lets a group go a moment after its last process. */
async function removeAll(groups: string[]): Promise<void> {
  for (const group of groups)
    for (let tries = 0; existsSync(group) && tries < 50; tries++)
      try {
        rmdirSync(group)
      } catch {
        await delay(10)
      }
}
