import { expect } from 'vitest'
import type { OperationInput } from '../../src/contract/operations/inputs.ts'
import type { SandboxOperationName } from '../../src/contract/operations/table.ts'
import type { Session } from '../../src/client/session.ts'
import { secret } from '../../src/index.ts'

/** One use of an operation. */
export interface Use<N extends SandboxOperationName> {
  /** Makes what must be there before; what it returns goes into the input. */
  before?: (session: Session) => Promise<string | undefined | void>
  input: (before: string) => OperationInput<N>
  /** What comes back, as far as it matters. */
  returns: unknown
  /** A script in the sandbox that says `once` where the effect is there, and there once. */
  after?: string
}

/** What is outside the sandbox. */
export interface World {
  /** A repository with a branch main, that GIT_TOKEN may push to. */
  repoUrl: string
}

const script =
  (cmd: string) =>
  async (session: Session): Promise<string> => {
    const { exitCode, stdout, stderr } = await session.run(cmd)
    if (exitCode !== 0) throw new Error(`${cmd}: ${stderr}`)
    return stdout.trim()
  }

const repository = (more = ''): ((session: Session) => Promise<string>) =>
  script(`git config --global user.email test@holdfast.invalid && git config --global user.name Test &&
git init -q -b main repo && cd repo && echo one >a.txt && git add -A && git commit -qm first ${more}`)

const cloned = async (
  session: Session,
  world: World,
  options: { dangerouslyStoreCredentials?: true } = {},
): Promise<void> => {
  await session.git.clone(world.repoUrl, { path: 'repo', auth: secret('GIT_TOKEN'), ...options })
  await script('cd repo && git config user.email t@holdfast.invalid && git config user.name T')(session)
}

const started = async (session: Session): Promise<string> =>
  (await session.commands.start('cat >got.txt; sleep 1000', { stdin: true })).commandId

const context = async (session: Session): Promise<string> => (await session.code.createContext()).id

const PLOT = `import matplotlib.pyplot as plt
plt.plot([1, 2, 3]); plt.title("line"); plt.show()`

/** A use of every operation. `satisfies` makes it complete. */
export const uses = (world: World) =>
  ({
    'commands.run': {
      input: () => ({
        cmd: 'echo ran >>runs.txt; sleep 0.5; echo out; echo err >&2; exit 3',
        envs: { A: 'b' },
      }),
      returns: { exitCode: 3, stdout: 'out\n', stderr: 'err\n', timedOut: false },
      after: '[ "$(wc -l <runs.txt)" = 1 ] && echo once',
    },
    'commands.start': {
      input: () => ({ cmd: 'echo ran >>runs.txt; sleep 1000' }),
      returns: { commandId: expect.stringMatching(/^[a-f0-9]{24}$/), pid: expect.any(Number) },
      after: 'until [ -e runs.txt ]; do sleep 0.05; done; [ "$(wc -l <runs.txt)" = 1 ] && echo once',
    },
    'commands.wait': {
      before: async (session) =>
        (await session.commands.start('echo ran >>runs.txt; sleep 1; exit 4')).commandId,
      input: (commandId) => ({ commandId }),
      returns: { exitCode: 4 },
      after: '[ "$(wc -l <runs.txt)" = 1 ] && echo once',
    },
    'commands.list': {
      before: started,
      input: () => ({}),
      returns: {
        commands: expect.arrayContaining([
          expect.objectContaining({ cmd: expect.stringContaining('sleep 1000') }),
        ]),
      },
    },
    'commands.kill': {
      before: started,
      input: (commandId) => ({ commandId, graceMs: 500 }),
      returns: { killed: expect.any(Boolean) },
      after: 'pgrep -fx "sleep 1000" || echo once',
    },
    'commands.sendStdin': {
      before: started,
      input: (commandId) => ({ commandId, data: 'hello\n' }),
      returns: undefined,
      after:
        'until [ -s got.txt ]; do sleep 0.05; done; sleep 0.2; [ "$(cat got.txt)" = hello ] && echo once',
    },
    'commands.closeStdin': {
      before: async (session) => {
        const { commandId } = await session.commands.start('cat; echo ended >>ended.txt', { stdin: true })
        return commandId
      },
      input: (commandId) => ({ commandId }),
      returns: undefined,
      after: 'until [ -e ended.txt ]; do sleep 0.05; done; [ "$(wc -l <ended.txt)" = 1 ] && echo once',
    },
    'files.read': {
      before: script('printf text >f'),
      input: () => ({ path: 'f' }),
      returns: { content: 'text' },
    },
    'files.write': {
      input: () => ({ path: 'd/f', content: Buffer.from([0, 255]).toString('base64'), encoding: 'base64' }),
      returns: { path: '/home/user/d/f' },
      after: '[ "$(od -An -tx1 d/f | tr -d " ")" = 00ff ] && echo once',
    },
    'files.writeFiles': {
      input: () => ({
        files: [
          { path: 'a', content: '1' },
          { path: 'b', content: '2' },
        ],
      }),
      returns: { paths: ['/home/user/a', '/home/user/b'] },
      after: '[ "$(cat a b)" = 12 ] && echo once',
    },
    'files.list': {
      before: script('mkdir -p d/e; touch d/f'),
      input: () => ({ path: 'd' }),
      returns: {
        entries: [
          expect.objectContaining({ name: 'e', type: 'dir' }),
          expect.objectContaining({ name: 'f', type: 'file' }),
        ],
        truncated: false,
      },
    },
    'files.makeDir': {
      input: () => ({ path: 'x/y' }),
      returns: { created: expect.any(Boolean) },
      after: '[ -d x/y ] && echo once',
    },
    'files.remove': {
      before: script('mkdir -p d/e; touch d/e/f'),
      input: () => ({ path: 'd' }),
      returns: undefined,
      after: '[ ! -e d ] && echo once',
    },
    'files.rename': {
      before: script('printf moved >old'),
      input: () => ({ oldPath: 'old', newPath: 'new' }),
      returns: { path: '/home/user/new', size: 5 },
      after: '[ ! -e old ] && [ "$(cat new)" = moved ] && echo once',
    },
    'files.exists': { before: script('touch f'), input: () => ({ path: 'f' }), returns: { exists: true } },
    'files.getInfo': {
      before: script('printf 12345 >f; chmod 640 f'),
      input: () => ({ path: 'f' }),
      returns: { size: 5, mode: 0o640, owner: 'user', type: 'file' },
    },
    'files.watchDir': {
      before: async (session) => {
        await session.commands.start('mkdir -p w; n=0; while sleep 0.2; do n=$((n+1)); touch w/$n; done')
        await script('until [ -e w/1 ]; do sleep 0.05; done')(session)
      },
      input: () => ({ path: 'w', timeoutMs: 600_000, maxEvents: 3 }),
      returns: { events: expect.objectContaining({ length: 3 }) },
    },
    'git.clone': {
      input: () => ({
        url: world.repoUrl,
        path: 'repo',
        branch: 'main',
        depth: 1,
        auth: secret('GIT_TOKEN'),
      }),
      returns: { path: '/home/user/repo', commit: expect.stringMatching(/^[a-f0-9]{40}$/) },
      after:
        '[ "$(git -C repo rev-list --count HEAD)" = 1 ] && ! grep -rq holdfast-token repo/.git/config && echo once',
    },
    'git.configureUser': {
      input: () => ({ name: 'A B', email: 'a@holdfast.invalid' }),
      returns: undefined,
      after: '[ "$(git config --global user.name)" = "A B" ] && echo once',
    },
    'git.createBranch': {
      before: repository(),
      input: () => ({ path: 'repo', branch: 'fix' }),
      returns: undefined,
      after: '[ "$(git -C repo branch --show-current)" = fix ] && echo once',
    },
    'git.checkout': {
      before: repository('&& git branch other'),
      input: () => ({ path: 'repo', branch: 'other' }),
      returns: undefined,
      after: '[ "$(git -C repo branch --show-current)" = other ] && echo once',
    },
    'git.add': {
      before: repository('&& echo 2 >"b c.txt" && echo 3 >d.txt'),
      input: () => ({ path: 'repo', files: ['b c.txt'] }),
      returns: undefined,
      after: '[ "$(git -C repo diff --cached --name-only)" = "b c.txt" ] && echo once',
    },
    'git.commit': {
      before: repository('&& echo 2 >b.txt && git add -A'),
      input: () => ({
        path: 'repo',
        message: 'second\n\nwith a body',
        author: { name: 'X', email: 'x@holdfast.invalid' },
      }),
      returns: { commit: expect.stringMatching(/^[a-f0-9]{40}$/) },
      after: '[ "$(git -C repo log --format=%s:%an | tr "\\n" " ")" = "second:X first:Test " ] && echo once',
    },
    'git.push': {
      before: async (session) => {
        await cloned(session, world)
        await script(
          'cd repo && git checkout -qb pushed && echo 2 >b && git add -A && git commit -qm second',
        )(session)
      },
      input: () => ({ path: 'repo', auth: secret('GIT_TOKEN') }),
      returns: { branch: 'pushed', commit: expect.stringMatching(/^[a-f0-9]{40}$/) },
      after: '[ "$(git -C repo rev-parse pushed)" = "$(git -C repo rev-parse origin/pushed)" ] && echo once',
    },
    'git.pull': {
      before: async (session) => {
        await cloned(session, world, { dangerouslyStoreCredentials: true })
        await script('cd repo && git reset -q --hard HEAD~1')(session)
      },
      // By what the clone has stored, which goes: anywhere else it would be a leak.
      input: () => ({ path: 'repo' }),
      returns: { commit: expect.stringMatching(/^[a-f0-9]{40}$/) },
      after:
        '[ "$(git -C repo rev-parse HEAD)" = "$(git -C repo rev-parse origin/main)" ] && rm -rf repo && echo once',
    },
    'git.status': {
      before: repository('&& echo 2 >>a.txt && git add a.txt && echo 3 >new.txt'),
      input: () => ({ path: 'repo' }),
      returns: {
        currentBranch: 'main',
        ahead: 0,
        behind: 0,
        fileStatus: [
          { path: 'a.txt', index: 'M', workingTree: '.', staged: true },
          { path: 'new.txt', index: '?', workingTree: '?', staged: false },
        ],
        truncated: false,
      },
    },
    'git.branches': {
      before: repository('&& git branch other'),
      input: () => ({ path: 'repo' }),
      returns: { branches: ['main', 'other'], currentBranch: 'main' },
    },
    'git.dangerouslyAuthenticate': {
      input: () => ({ host: new URL(world.repoUrl).origin, auth: secret('GIT_TOKEN') }),
      returns: undefined,
      // Where it is stored on purpose it is removed again: anywhere else it would be a leak.
      after: `git ls-remote ${world.repoUrl} main | grep -q main && rm .git-credentials && echo once`,
    },
    'code.run': {
      input: () => ({ code: `open("/home/user/runs.txt", "a").write("ran\\n")\n${PLOT}` }),
      returns: {
        results: [expect.objectContaining({ artifacts: [expect.objectContaining({ format: 'png' })] })],
        truncated: false,
      },
      after: '[ "$(wc -l <runs.txt)" = 1 ] && echo once',
    },
    'code.createContext': {
      input: () => ({ language: 'python', cwd: '/home/user' }),
      returns: { id: expect.any(String), language: 'python', cwd: '/home/user' },
    },
    'code.listContexts': {
      input: () => ({}),
      returns: { contexts: expect.arrayContaining([expect.objectContaining({ language: 'python' })]) },
    },
    'code.restartContext': { before: context, input: (contextId) => ({ contextId }), returns: undefined },
    'code.removeContext': { before: context, input: (contextId) => ({ contextId }), returns: undefined },
    'code.readArtifact': {
      before: async (session) => (await session.code.run(PLOT)).results[0]?.artifacts[0]?.key,
      input: (key) => ({ key }),
      returns: { content: expect.stringMatching(/^iVBOR/) },
    },
    'network.getHost': {
      input: () => ({ port: 3000 }),
      returns: { host: expect.stringMatching(/^3000-/), url: expect.stringMatching(/^https:/) },
    },
    'network.update': {
      input: () => ({ denyOut: ['0.0.0.0/0'] }),
      returns: undefined,
      after: `curl -sf --max-time 5 ${world.repoUrl}/info/refs || echo once`,
    },
    'network.waitForPort': {
      before: async (session) =>
        void (await session.commands.start('sleep 1; exec python3 -m http.server 3000')),
      input: () => ({ port: 3000 }),
      returns: { open: true },
    },
    'network.getMcp': {
      // What the gateway leaves, where a sandbox is made with `mcp`.
      before: script(
        'sudo mkdir -p /etc/mcp-gateway && printf %s of-the-gateway | sudo tee /etc/mcp-gateway/.token',
      ),
      input: () => ({}),
      returns: { url: expect.stringMatching(/^https?:.*\/mcp$/), token: 'of-the-gateway' },
    },
    'sandbox.getInfo': { input: () => ({}), returns: { state: 'running', cpuCount: expect.any(Number) } },
    'sandbox.getMetrics': { input: () => ({}), returns: { metrics: expect.any(Array) } },
    'sandbox.setTimeout': { input: () => ({ timeoutMs: 900_000 }), returns: undefined },
    'sandbox.createSnapshot': {
      input: () => ({ name: 'taken' }),
      returns: { snapshotId: expect.any(String), names: [expect.stringMatching(/taken$/)] },
    },
    'sandbox.fork': { input: () => ({ count: 1 }), returns: { sandboxIds: [expect.any(String)] } },
  }) satisfies { [N in SandboxOperationName]: Use<N> }
