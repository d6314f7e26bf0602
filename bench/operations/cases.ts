import type { CommandHandle, Sandbox } from '@e2b/code-interpreter'
import type { SandboxOperationName } from '../../src/contract/operations/table.ts'
import { secret } from '../../src/index.ts'
import type { World } from './world.ts'

/** One operation: through the session, and the same by the SDK. `n` is another in each round. */
export interface Case {
  session: (n: number, made: string) => Promise<unknown>
  sdk: (n: number, made: unknown) => Promise<unknown>
  /** Made in both sandboxes by the SDK before each round, untimed. */
  before?: (sandbox: Sandbox, n: number) => Promise<unknown>
  /** What the session needs before, untimed. */
  prepare?: (n: number) => Promise<string>
  /** What the SDK needs before, untimed. */
  prepareSdk?: (n: number) => Promise<unknown>
  /** Only every third round: it takes long whoever asks. */
  slow?: boolean
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const tenTimes = (call: () => Promise<unknown>): Promise<unknown> =>
  Promise.all(Array.from({ length: 10 }, call))
const WAIT = 'until (exec 3<>/dev/tcp/127.0.0.1/3000) 2>/dev/null; do sleep 0.05; done'
const PLOT = 'import matplotlib.pyplot as plt\nplt.plot([1, 2, 3]); plt.show()'

/** All but `network.getMcp`, which needs a template that the local server doesn't have. */
export function cases(
  world: World,
): Record<
  | Exclude<SandboxOperationName, 'network.getMcp'>
  | 'ten files.exists at once'
  | 'ten files.exists in a batch',
  Case
> {
  const { session, inside, sdk, repoUrl, token } = world
  const run =
    (line: (n: number) => string) =>
    (sandbox: Sandbox, n: number): Promise<unknown> =>
      sandbox.commands.run(line(n))
  const started = async () => (await session.commands.start('cat; sleep 60', { stdin: true })).commandId
  const startedSdk = () => sdk.commands.run('cat; sleep 60', { background: true, stdin: true })
  const pidOf = (handle: unknown): number => (handle as CommandHandle).pid
  const context = async () => (await session.code.createContext()).id
  const contextSdk = async () => (await sdk.createCodeContext()).id
  const credentials = { username: 'x-access-token', password: token }
  const auth = secret('GIT_TOKEN')
  const cloneInto = (folder: string): string => {
    const url = new URL(repoUrl)
    url.username = 'x-access-token'
    url.password = token
    return `rm -rf ${folder} && git clone -q ${url.href} ${folder} && git -C ${folder} remote set-url origin ${repoUrl}`
  }
  return {
    'commands.run': {
      session: () => session.run('echo hello'),
      sdk: () => sdk.commands.run('echo hello'),
    },
    'commands.start': {
      session: () => session.commands.start('true'),
      sdk: () => sdk.commands.run('true', { background: true }),
    },
    'commands.wait': {
      prepare: async () => (await session.commands.start('sleep 0.3')).commandId,
      prepareSdk: () => sdk.commands.run('sleep 0.3', { background: true }),
      session: (_, id) => session.commands.wait(id),
      sdk: (_, handle) => (handle as CommandHandle).wait(),
    },
    'commands.list': { session: () => session.commands.list(), sdk: () => sdk.commands.list() },
    'commands.kill': {
      prepare: started,
      prepareSdk: startedSdk,
      session: (_, id) => session.commands.kill(id),
      sdk: (_, handle) => sdk.commands.kill(pidOf(handle)),
    },
    'commands.sendStdin': {
      prepare: started,
      prepareSdk: startedSdk,
      session: (_, id) => session.commands.sendStdin(id, 'hello\n'),
      sdk: (_, handle) => sdk.commands.sendStdin(pidOf(handle), 'hello\n'),
    },
    'commands.closeStdin': {
      prepare: started,
      prepareSdk: startedSdk,
      session: (_, id) => session.commands.closeStdin(id),
      sdk: (_, handle) => sdk.commands.closeStdin(pidOf(handle)),
    },
    'files.read': {
      before: run(() => 'printf text >f'),
      session: () => session.files.read('f'),
      sdk: () => sdk.files.read('f'),
    },
    'files.write': {
      session: (n) => session.files.write(`w/${n}`, 'text'),
      sdk: (n) => sdk.files.write(`w/${n}`, 'text'),
    },
    'files.writeFiles': {
      session: (n) => session.files.writeFiles([1, 2].map((i) => ({ path: `v/${n}/${i}`, content: 'text' }))),
      sdk: (n) => sdk.files.writeFiles([1, 2].map((i) => ({ path: `v/${n}/${i}`, data: 'text' }))),
    },
    'files.list': { session: () => session.files.list('/etc'), sdk: () => sdk.files.list('/etc') },
    'files.makeDir': {
      session: (n) => session.files.makeDir(`m/${n}`),
      sdk: (n) => sdk.files.makeDir(`m/${n}`),
    },
    'files.remove': {
      before: run((n) => `mkdir -p r/${n}`),
      session: (n) => session.files.remove(`r/${n}`),
      sdk: (n) => sdk.files.remove(`r/${n}`),
    },
    'files.rename': {
      before: run(() => 'touch old'),
      session: () => session.files.rename('old', 'new'),
      sdk: () => sdk.files.rename('old', 'new'),
    },
    'files.exists': {
      session: () => session.files.exists('/etc/passwd'),
      sdk: () => sdk.files.exists('/etc/passwd'),
    },
    'ten files.exists at once': {
      session: () => tenTimes(() => session.files.exists('/etc/passwd')),
      sdk: () => tenTimes(() => sdk.files.exists('/etc/passwd')),
    },
    'ten files.exists in a batch': {
      session: () => session.batch((s) => tenTimes(() => s.files.exists('/etc/passwd'))),
      sdk: async () => {
        for (let n = 0; n < 10; n++) await sdk.files.exists('/etc/passwd')
      },
    },
    'files.getInfo': {
      session: () => session.files.getInfo('/etc/passwd'),
      sdk: () => sdk.files.getInfo('/etc/passwd'),
    },
    'files.watchDir': {
      session: () => session.files.watchDir('/tmp', { timeoutMs: 300 }),
      sdk: async () => {
        const watch = await sdk.files.watchDir('/tmp', () => undefined)
        await sleep(300)
        await watch.stop()
      },
    },
    'git.clone': {
      before: run(() => 'rm -rf web'),
      session: () => session.git.clone(repoUrl, { path: 'web', auth }),
      sdk: () => sdk.git.clone(repoUrl, { path: 'web', ...credentials }),
    },
    'git.configureUser': {
      session: () => session.git.configureUser('A', 'a@holdfast.invalid'),
      sdk: () => sdk.git.configureUser('A', 'a@holdfast.invalid'),
    },
    'git.createBranch': {
      session: (n) => session.git.createBranch('web', `b${n}`),
      sdk: (n) => sdk.git.createBranch('web', `b${n}`),
    },
    'git.checkout': {
      before: run((n) => `cd web && git branch -f c${n}`),
      session: (n) => session.git.checkout('web', `c${n}`),
      sdk: (n) => sdk.git.checkoutBranch('web', `c${n}`),
    },
    'git.add': {
      before: run((n) => `echo ${n} >web/new.txt`),
      session: () => session.git.add('web', { files: ['new.txt'] }),
      sdk: () => sdk.git.add('web', { files: ['new.txt'] }),
    },
    'git.commit': {
      before: run((n) => `cd web && echo ${n} >new.txt && git add -A`),
      session: () => session.git.commit('web', 'work'),
      sdk: () => sdk.git.commit('web', 'work'),
    },
    'git.push': {
      before: (sandbox, n) => {
        const branch = `p${n}-${sandbox === sdk ? 'sdk' : 'session'}`
        return sandbox.commands.run(`${cloneInto('pushed')} && git -C pushed checkout -qb ${branch}`)
      },
      session: (n) => session.git.push('pushed', { branch: `p${n}-session`, auth }),
      sdk: (n) => sdk.git.push('pushed', { remote: 'origin', branch: `p${n}-sdk`, ...credentials }),
    },
    'git.pull': {
      before: run(() => cloneInto('pulled')),
      session: () => session.git.pull('pulled', { branch: 'main', auth }),
      sdk: () => sdk.git.pull('pulled', { remote: 'origin', branch: 'main', ...credentials }),
    },
    'git.status': { session: () => session.git.status('web'), sdk: () => sdk.git.status('web') },
    'git.branches': { session: () => session.git.branches('web'), sdk: () => sdk.git.branches('web') },
    'git.dangerouslyAuthenticate': {
      session: () => session.git.dangerouslyAuthenticate({ host: new URL(repoUrl).origin, auth }),
      sdk: () =>
        sdk.git.dangerouslyAuthenticate({ host: new URL(repoUrl).host, protocol: 'http', ...credentials }),
    },
    'code.run': { session: () => session.runCode('1 + 1'), sdk: () => sdk.runCode('1 + 1') },
    'code.createContext': {
      slow: true,
      session: () => session.code.createContext(),
      sdk: () => sdk.createCodeContext(),
    },
    'code.listContexts': { session: () => session.code.listContexts(), sdk: () => sdk.listCodeContexts() },
    'code.restartContext': {
      slow: true,
      prepare: context,
      prepareSdk: contextSdk,
      session: (_, id) => session.code.restartContext(id),
      sdk: (_, id) => sdk.restartCodeContext(id as string),
    },
    'code.removeContext': {
      slow: true,
      prepare: context,
      prepareSdk: contextSdk,
      session: (_, id) => session.code.removeContext(id),
      sdk: (_, id) => sdk.removeCodeContext(id as string),
    },
    'code.readArtifact': {
      slow: true,
      prepare: async () => (await session.runCode(PLOT)).results[0]?.artifacts[0]?.key ?? '',
      session: (_, key) => session.code.readArtifact(key),
      // The SDK has the picture in the result: there is nothing to ask for.
      sdk: () => Promise.resolve(),
    },
    'network.getHost': {
      session: () => session.network.getHost(3000),
      sdk: () => Promise.resolve(sdk.getHost(3000)),
    },
    'network.update': {
      session: () => session.network.update({ allowInternetAccess: true }),
      sdk: () => sdk.updateNetwork({ allowInternetAccess: true }),
    },
    'network.waitForPort': {
      before: run(
        () => '(exec 3<>/dev/tcp/127.0.0.1/3000) || (setsid -f python3 -m http.server 3000) &>/dev/null',
      ),
      session: () => session.network.waitForPort(3000),
      sdk: () => sdk.commands.run(WAIT),
    },
    'sandbox.getInfo': { session: () => session.getInfo(), sdk: () => sdk.getInfo() },
    'sandbox.getMetrics': { session: () => session.getMetrics(), sdk: () => sdk.getMetrics() },
    'sandbox.setTimeout': {
      session: () => session.perform('sandbox.setTimeout', { timeoutMs: 12 * 60 * 60_000 }),
      sdk: () => sdk.setTimeout(12 * 60 * 60_000),
    },
    'sandbox.createSnapshot': {
      slow: true,
      session: (n) => session.snapshot(`session-${n}`),
      // Of the same sandbox: what there is in it is what it takes.
      sdk: (n) => inside.createSnapshot({ name: `sdk-${n}` }),
    },
    'sandbox.fork': {
      slow: true,
      session: () => session.perform('sandbox.fork', { count: 1 }),
      sdk: () => sdk.fork({ count: 1 }),
    },
  }
}
