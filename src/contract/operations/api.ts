import type { OperationInput } from './inputs.ts'
import type { OperationResults } from './results.ts'
import type { SandboxOperationName } from './table.ts'

/** Performs an operation somewhere: as an activity of the workflow, or as an update of a session. */
export type Perform = <N extends SandboxOperationName>(
  name: N,
  input: OperationInput<N>,
) => Promise<OperationResults[N]>

/** An input without what the method takes as an argument of its own. */
type Options<N extends SandboxOperationName, Taken extends PropertyKey> = Omit<OperationInput<N>, Taken>

/**
 * A sandbox's operations under the names that E2B's SDK has for them. What the SDK returns as an object with methods is data
 * here; a command's exit code is data too, where the SDK throws.
 */
export const sandboxApi = (perform: Perform) => ({
  commands: commandsApi(perform),
  files: filesApi(perform),
  git: gitApi(perform),
  code: codeApi(perform),
  network: networkApi(perform),
  /** E2B's `getInfo`. */
  getInfo: () => perform('sandbox.getInfo', {}),
  /** E2B's `getMetrics`. */
  getMetrics: (options: OperationInput<'sandbox.getMetrics'> = {}) => perform('sandbox.getMetrics', options),
})

export type SandboxApi = ReturnType<typeof sandboxApi>

const commandsApi = (perform: Perform) => ({
  /** Runs a command line and waits for its end; `timeoutMs` 60,000 by default. E2B's `commands.run`. */
  run: (cmd: string, options: Options<'commands.run', 'cmd'> = {}) =>
    perform('commands.run', { cmd, ...options }),
  /** Starts one in the background. E2B's `commands.run` with `background`. */
  start: (cmd: string, options: Options<'commands.start', 'cmd'> = {}) =>
    perform('commands.start', { cmd, ...options }),
  /** Waits for its end, from any worker, any time later. E2B's `commands.connect` and `wait`. */
  wait: (commandId: string, options: Options<'commands.wait', 'commandId'> = {}) =>
    perform('commands.wait', { commandId, ...options }),
  list: async () => (await perform('commands.list', {})).commands,
  /** SIGTERM to its process group, then SIGKILL. False where it had ended. */
  kill: async (commandId: string, options: Options<'commands.kill', 'commandId'> = {}) =>
    (await perform('commands.kill', { commandId, ...options })).killed,
  sendStdin: (commandId: string, data: string) => perform('commands.sendStdin', { commandId, data }),
  closeStdin: (commandId: string) => perform('commands.closeStdin', { commandId }),
})

const filesApi = (perform: Perform) => ({
  /** A file's text, or its bytes in base64; at most 1 MiB. */
  read: async (path: string, options: Options<'files.read', 'path'> = {}) =>
    (await perform('files.read', { path, ...options })).content,
  write: (path: string, content: string, options: Options<'files.write', 'path' | 'content'> = {}) =>
    perform('files.write', { path, content, ...options }),
  writeFiles: (
    files: OperationInput<'files.writeFiles'>['files'],
    options: Options<'files.writeFiles', 'files'> = {},
  ) => perform('files.writeFiles', { files, ...options }),
  list: (path: string, options: Options<'files.list', 'path'> = {}) =>
    perform('files.list', { path, ...options }),
  /** False where it was there already. */
  makeDir: async (path: string, options: Options<'files.makeDir', 'path'> = {}) =>
    (await perform('files.makeDir', { path, ...options })).created,
  remove: (path: string, options: Options<'files.remove', 'path'> = {}) =>
    perform('files.remove', { path, ...options }),
  rename: (oldPath: string, newPath: string, options: Options<'files.rename', 'oldPath' | 'newPath'> = {}) =>
    perform('files.rename', { oldPath, newPath, ...options }),
  exists: async (path: string, options: Options<'files.exists', 'path'> = {}) =>
    (await perform('files.exists', { path, ...options })).exists,
  getInfo: (path: string, options: Options<'files.getInfo', 'path'> = {}) =>
    perform('files.getInfo', { path, ...options }),
  /** Watches until so many events came, or the time is over. */
  watchDir: (path: string, options: Options<'files.watchDir', 'path'> = {}) =>
    perform('files.watchDir', { path, ...options }),
})

const gitApi = (perform: Perform) => ({
  clone: (url: string, options: Options<'git.clone', 'url'> = {}) =>
    perform('git.clone', { url, ...options }),
  configureUser: (
    name: string,
    email: string,
    options: Options<'git.configureUser', 'name' | 'email'> = {},
  ) => perform('git.configureUser', { name, email, ...options }),
  createBranch: (path: string, branch: string) => perform('git.createBranch', { path, branch }),
  checkout: (path: string, branch: string) => perform('git.checkout', { path, branch }),
  add: (path: string, options: Options<'git.add', 'path'> = {}) => perform('git.add', { path, ...options }),
  commit: (path: string, message: string, options: Options<'git.commit', 'path' | 'message'> = {}) =>
    perform('git.commit', { path, message, ...options }),
  push: (path: string, options: Options<'git.push', 'path'> = {}) =>
    perform('git.push', { path, ...options }),
  pull: (path: string, options: Options<'git.pull', 'path'> = {}) =>
    perform('git.pull', { path, ...options }),
  status: (path: string) => perform('git.status', { path }),
  branches: (path: string) => perform('git.branches', { path }),
  /** Stores credentials in the user's home in the sandbox, where everything there can read them. */
  dangerouslyAuthenticate: (input: OperationInput<'git.dangerouslyAuthenticate'>) =>
    perform('git.dangerouslyAuthenticate', input),
})

const codeApi = (perform: Perform) => ({
  /** Runs code in a kernel that keeps its variables; what the code throws is data. E2B's `runCode`. */
  run: (code: string, options: Options<'code.run', 'code'> = {}) => perform('code.run', { code, ...options }),
  createContext: (options: OperationInput<'code.createContext'> = {}) =>
    perform('code.createContext', options),
  listContexts: async () => (await perform('code.listContexts', {})).contexts,
  restartContext: (contextId: string) => perform('code.restartContext', { contextId }),
  removeContext: (contextId: string) => perform('code.removeContext', { contextId }),
  /** A picture's bytes, in base64. */
  readArtifact: async (key: string) => (await perform('code.readArtifact', { key })).content,
})

const networkApi = (perform: Perform) => ({
  /** The public host of a port in the sandbox, and its URL. E2B's `getHost`. */
  getHost: (port: number, options: Options<'network.getHost', 'port'> = {}) =>
    perform('network.getHost', { port, ...options }),
  /** E2B's `updateNetwork`: replaces all rules. */
  update: (rules: OperationInput<'network.update'>) => perform('network.update', rules),
  /** False where nothing listened in time. */
  waitForPort: async (port: number, options: Options<'network.waitForPort', 'port'> = {}) =>
    (await perform('network.waitForPort', { port, ...options })).open,
  getMcp: () => perform('network.getMcp', {}),
})
