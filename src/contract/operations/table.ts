/** In a session: after what was asked for before it (`in turn`), or beside it. */
type Order = 'in turn' | 'beside'

export interface Operation {
  /** What it does, for people: shown in the Temporal UI. */
  does: string
  order: Order
}

const beside = (does: string): Operation => ({ does, order: 'beside' })
const inTurn = (does: string): Operation => ({ does, order: 'in turn' })

/**
 * Every operation on a sandbox, by E2B's own names. The name is the type of the Temporal activity, and of the session's
 * update.
 */
export const SANDBOX_OPERATIONS = {
  'commands.run': inTurn('run a command line and wait for its end: {"cmd": "npm test"}'),
  'commands.start': beside('start a command line in the background: {"cmd": "npm run dev"}'),
  'commands.wait': beside('wait for the end of a started command: {"commandId": "…"}'),
  'commands.list': beside('the commands that run'),
  'commands.kill': beside('end a command: {"commandId": "…"}'),
  'commands.sendStdin': inTurn('send text to a command: {"commandId": "…", "data": "yes\\n"}'),
  'commands.closeStdin': inTurn('close the input of a command: {"commandId": "…"}'),
  'files.read': beside('read a file: {"path": "notes.txt"}'),
  'files.write': beside('write a file: {"path": "notes.txt", "content": "…"}'),
  'files.writeFiles': beside('write several files: {"files": [{"path": "a", "content": "…"}]}'),
  'files.list': beside('list a folder: {"path": "/home/user"}'),
  'files.makeDir': beside('make a folder and those above it: {"path": "a/b"}'),
  'files.remove': beside('remove a file or folder: {"path": "a"}'),
  'files.rename': beside('rename or move: {"oldPath": "a", "newPath": "b"}'),
  'files.exists': beside('whether there is such a file or folder: {"path": "a"}'),
  'files.getInfo': beside('size, owner, permissions: {"path": "a"}'),
  'files.watchDir': beside('watch a folder for a time: {"path": "src", "timeoutMs": 60000}'),
  'git.clone': inTurn('clone a repository: {"url": "https://…"}'),
  'git.configureUser': inTurn('who commits are by: {"name": "…", "email": "…"}'),
  'git.createBranch': inTurn('create a branch and check it out: {"path": "repo", "branch": "fix"}'),
  'git.checkout': inTurn('check out a branch: {"path": "repo", "branch": "main"}'),
  'git.add': inTurn('stage files: {"path": "repo", "files": ["a.txt"]}'),
  'git.commit': inTurn('commit what is staged: {"path": "repo", "message": "…"}'),
  'git.push': inTurn('push a branch: {"path": "repo"}'),
  'git.pull': inTurn('pull into the current branch: {"path": "repo"}'),
  'git.status': inTurn('branch, ahead, behind and changed files: {"path": "repo"}'),
  'git.branches': inTurn('the local branches: {"path": "repo"}'),
  'git.dangerouslyAuthenticate': inTurn(
    'store credentials in the sandbox: {"host": "https://…", "auth": {"secret": "GIT_TOKEN"}}',
  ),
  'code.run': inTurn('run code in a kernel that keeps its state: {"code": "1 + 1"}'),
  'code.createContext': inTurn('a kernel of its own: {"language": "python"}'),
  'code.listContexts': beside('the kernels'),
  'code.restartContext': inTurn('restart a kernel, which forgets its state: {"contextId": "…"}'),
  'code.removeContext': inTurn('end a kernel: {"contextId": "…"}'),
  'code.readArtifact': beside('a picture that code made, in base64: {"key": "…"}'),
  'network.getHost': beside('the public host of a port: {"port": 3000}'),
  'network.update': beside('replace the rules for outbound traffic: {"denyOut": ["0.0.0.0/0"]}'),
  'network.waitForPort': beside('wait until something listens: {"port": 3000}'),
  'network.getMcp': beside("the MCP gateway's URL and token"),
  'sandbox.getInfo': beside('template, size, state and times of the sandbox'),
  'sandbox.getMetrics': beside('CPU, memory and disk over time'),
  'sandbox.setTimeout': beside('set the sandbox\'s own timeout: {"timeoutMs": 300000}'),
  'sandbox.createSnapshot': inTurn('a snapshot that sandboxes can be created from: {"name": "ready"}'),
  'sandbox.fork': inTurn('copies of the sandbox: {"count": 2}'),
} as const satisfies Record<string, Operation>

export type SandboxOperationName = keyof typeof SANDBOX_OPERATIONS

export const SANDBOX_OPERATION_NAMES = Object.keys(SANDBOX_OPERATIONS) as SandboxOperationName[]

/** Operations of the account rather than of one sandbox. */
export const ACCOUNT_OPERATIONS = {
  'sandbox.list': 'list sandboxes, page by page',
  'sandbox.listSnapshots': 'list snapshots, page by page',
  'sandbox.deleteSnapshot': 'delete a snapshot',
  'template.exists': 'whether there is such a template',
  'template.build': 'build a template',
} as const

export type AccountOperationName = keyof typeof ACCOUNT_OPERATIONS
export type OperationName = SandboxOperationName | AccountOperationName
