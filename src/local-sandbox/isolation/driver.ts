import type { EnvdConfig } from '../envd/config.ts'
import type { LiveProcess, ProcessHandle } from './processes.ts'

/** Where one sandbox keeps what, on the host. */
export interface SandboxFolders {
  /** All of the sandbox's. */
  root: string
  /** What the sandbox may write to, and no more than it has room: `home`, `tmp`, `varTmp`, `system` and `work`. */
  disk: string
  home: string
  tmp: string
  varTmp: string
  /** What was changed in the system's own folders, where that can be. */
  system: string
  /** Scratch space of the mounts that keep `system`. */
  work: string
  /** envd's own: its socket and short-lived files. */
  run: string
  /** Holds the egress proxy's socket; the sandbox can't write here. */
  egress: string
  bootId: string
  log: string
  /** What happened to the sandbox, for clients. */
  events: string
  /** What the isolation tool tells of the processes it started. */
  info: string
}

export interface StartSpec {
  sandboxId: string
  folders: SandboxFolders
  /** Host uid and gid that the sandbox runs under, the first one where it has several; undefined where the server isn't root. */
  ids: number | undefined
  /** envd's bundle. */
  envdScript: string
}

/** A sandbox whose processes exist, and whose envd waits to be told its configuration. */
export interface Started {
  /** Ends with the sandbox, and never before. */
  handle: ProcessHandle
  /** Tells envd its configuration; resolves once it serves. Throws with the end of its log where it doesn't. */
  configure: (settings: EnvdSettings) => Promise<void>
}

/** The isolation of sandboxes. */
export interface IsolationDriver {
  readonly kind: 'namespaces' | 'bubblewrap' | 'none'
  /** What holds a sandbox to its limits. */
  readonly limits: 'cgroup' | 'rlimit' | 'none'
  /** Whether there is a root in sandboxes, who can change all of what they see as their system. */
  readonly root: boolean
  /** Host ids of a sandbox's files on the disk, by the sandbox's own ids; undefined for the server's own. */
  owners(ids: number | undefined): Owners
  /** Starts the processes, which outlive this server. */
  start(spec: StartSpec): Promise<Started>
  /** Live processes of the sandbox as host pids, parents first. */
  processes(sandboxId: string, handle: ProcessHandle): LiveProcess[]
  /** Ends all processes of the sandbox, and clears up after it; resolves once they have gone. Without a handle none is left. */
  kill(sandboxId: string, handle: ProcessHandle | undefined): Promise<void>
}

/** Whose the files of a sandbox are on the host's disk. */
export interface Owners {
  root: number | undefined
  user: number | undefined
}

/** What a driver tells envd of the sandbox it is in. */
export type InnerPaths = Omit<EnvdConfig, keyof EnvdSettings>

/** What the server tells envd of its sandbox, whatever the driver. */
export type EnvdSettings = Pick<EnvdConfig, 'envs' | 'workdir'>
