/** How a command ended. Its exit code is data, not an error. */
export interface CommandOutcome {
  commandId: string
  /** 124 when it ran into its timeout; 128 + n when ended by signal n. */
  exitCode: number
  timedOut: boolean
  /** The output, or of a long one the first 4 KB and the last 8 KB. */
  stdout: string
  stderr: string
  /** Sizes of the whole output, in bytes. */
  stdoutBytes: number
  stderrBytes: number
  /** ms since the epoch, by the sandbox's clock. */
  startedAt: number
  finishedAt: number
}

export interface RunningCommand {
  commandId: string
  /** In the sandbox; also the id of its process group. */
  pid: number
}

/** A durable command, or a process that was started otherwise (then without `commandId`). */
export interface CommandInfo {
  commandId?: string
  pid: number
  cmd: string
}

/** A file or folder. */
export interface FileInfo {
  name: string
  path: string
  type: 'file' | 'dir'
  size: number
  /** Permission bits. */
  mode: number
  permissions: string
  owner: string
  group: string
  /** ms since the epoch; absent where the sandbox doesn't say. */
  modifiedAt?: number
  symlinkTarget?: string
}

export interface FileEvent {
  /** Relative to the folder watched. */
  name: string
  type: 'create' | 'write' | 'remove' | 'rename' | 'chmod'
}

export interface GitFileStatus {
  path: string
  /** One letter each, as `git status --porcelain` has them; `.` for unchanged. */
  index: string
  workingTree: string
  staged: boolean
  /** Where a renamed one was. */
  renamedFrom?: string
}

export interface GitStatus {
  /** Absent where HEAD is detached. */
  currentBranch?: string
  upstream?: string
  ahead: number
  behind: number
  /** At most 1,000. */
  fileStatus: GitFileStatus[]
  truncated: boolean
}

export interface CodeContext {
  id: string
  language: string
  cwd: string
}

/** A picture or document that code made, kept in the blob store. `code.readArtifact` reads it. */
export interface Artifact {
  format: string
  key: string
  bytes: number
}

/** What one cell gave. Texts are cut at 64 KB, charts left out above it. */
export interface CodeResult {
  isMainResult: boolean
  text?: string
  html?: string
  markdown?: string
  latex?: string
  json?: string
  /** E2B's extracted chart: its type, titles, axes and elements. */
  chart?: unknown
  artifacts: Artifact[]
}

export interface Execution {
  results: CodeResult[]
  stdout: string
  stderr: string
  /** What the code threw; data, not an error. */
  error?: { name: string; value: string; traceback: string }
  executionCount?: number
  /** Whether something was cut or left out. */
  truncated: boolean
}

export interface SandboxDetails {
  sandboxId: string
  templateId: string
  name?: string
  state: 'running' | 'paused'
  metadata: Record<string, string>
  cpuCount: number
  memoryMB: number
  /** ms since the epoch. */
  startedAt: number
  endAt: number
}

/** Bytes, but for the CPU's; `timestamp` in ms since the epoch. */
export interface SandboxMetrics {
  timestamp: number
  cpuUsedPct: number
  cpuCount: number
  memUsed: number
  memTotal: number
  diskUsed: number
  diskTotal: number
}

export interface Page<T> {
  items: T[]
  /** Asks for the next page; absent on the last. */
  nextToken?: string
}

export interface Snapshot {
  snapshotId: string
  names: string[]
}

/** What each operation returns. */
export interface OperationResults {
  'commands.run': CommandOutcome
  'commands.start': RunningCommand
  'commands.wait': CommandOutcome
  'commands.list': { commands: CommandInfo[] }
  'commands.kill': { killed: boolean }
  'commands.sendStdin': void
  'commands.closeStdin': void
  'files.read': { content: string }
  'files.write': { path: string }
  'files.writeFiles': { paths: string[] }
  'files.list': { entries: FileInfo[]; truncated: boolean }
  'files.makeDir': { created: boolean }
  'files.remove': void
  'files.rename': FileInfo
  'files.exists': { exists: boolean }
  'files.getInfo': FileInfo
  'files.watchDir': { events: FileEvent[]; truncated: boolean }
  'git.clone': { path: string; commit: string }
  'git.configureUser': void
  'git.createBranch': void
  'git.checkout': void
  'git.add': void
  'git.commit': { commit: string }
  'git.push': { branch: string; commit: string }
  'git.pull': { commit: string }
  'git.status': GitStatus
  'git.branches': { branches: string[]; currentBranch?: string }
  'git.dangerouslyAuthenticate': void
  'code.run': Execution
  'code.createContext': CodeContext
  'code.listContexts': { contexts: CodeContext[] }
  'code.restartContext': void
  'code.removeContext': void
  'code.readArtifact': { content: string }
  'network.getHost': { host: string; url: string; trafficAccessToken?: string }
  'network.update': void
  'network.waitForPort': { open: boolean }
  'network.getMcp': { url: string; token?: string }
  'sandbox.getInfo': SandboxDetails
  'sandbox.getMetrics': { metrics: SandboxMetrics[] }
  'sandbox.setTimeout': void
  'sandbox.createSnapshot': Snapshot
  'sandbox.fork': { sandboxIds: string[] }
  'sandbox.list': Page<SandboxDetails>
  'sandbox.listSnapshots': Page<Snapshot>
  'sandbox.deleteSnapshot': { deleted: boolean }
  'template.exists': { exists: boolean }
  'template.build': { templateId: string; buildId: string }
}
