import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { git } from '../../src/demo/git.ts'
import { type GitHost, startGitHost } from '../../src/demo/git-host/index.ts'
import { type DemoRepository, createDemoRepository } from '../../src/demo/repository.ts'

export interface TestGitHost extends GitHost {
  root: string
  token: string
  readOnlyToken: string
  /** Starts it again, on its port, after `stop`. */
  start(): Promise<void>
  /** Makes the demo repository under this name. */
  demo(name: string): Promise<DemoRepository>
  /** Clone URL with a token in it (the full one by default), for plain git in tests. */
  urlWith(name: string, token?: string): string
  /** Head of a branch in the bare repository; undefined where there is no such branch. */
  branchHead(name: string, branch: string): Promise<string | undefined>
  /** Lets every push fail with this message, as a forge's rule does; pushes to other branches pass where `branch` is given. */
  rejectPushes(name: string, message: string, branch?: string): Promise<void>
  /** Installs a hook in the bare repository, whose folder is its working folder. */
  installHook(name: string, hook: 'pre-receive' | 'post-receive', script: string): Promise<void>
  /** Runs git in a repository's folder. */
  git(name: string, args: string[]): Promise<string>
  /** Ends the host and removes its folder. */
  cleanUp(): Promise<void>
}

/** A git host on a free port with a temporary root. End it by `cleanUp()`. */
export async function testGitHost(): Promise<TestGitHost> {
  const root = await mkdtemp(join(tmpdir(), 'holdfast-git-'))
  // Its own for each host, so that it can be looked for in all that a test leaves.
  const token = `write-${randomUUID()}`
  const readOnlyToken = `read-${randomUUID()}`
  let host = await startGitHost({ root, token, readOnlyToken })
  const { port } = host
  const bare = (name: string) => join(root, `${name}.git`)
  return {
    ...host,
    stop: () => host.stop(),
    start: async () => {
      host = await startGitHost({ root, token, readOnlyToken, port })
    },
    root,
    token,
    readOnlyToken,
    demo: (name) => createDemoRepository({ root, name }),
    urlWith: (name, used = token) => host.repoUrl(name).replace('://', `://holdfast:${used}@`),
    branchHead: async (name, branch) =>
      (await git(bare(name), ['for-each-ref', '--format=%(objectname)', `refs/heads/${branch}`])) ||
      undefined,
    rejectPushes: (name, message, branch) =>
      installHook(bare(name), 'pre-receive', rejectionScript(message, branch)),
    installHook: (name, hook, script) => installHook(bare(name), hook, script),
    git: (name, args) => git(bare(name), args),
    cleanUp: async () => {
      await host.stop()
      await rm(root, { recursive: true, force: true })
    },
  }
}

async function installHook(repository: string, hook: string, script: string): Promise<void> {
  await mkdir(join(repository, 'hooks'), { recursive: true })
  await writeFile(join(repository, 'hooks', hook), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
}

function rejectionScript(message: string, branch?: string): string {
  const guarded = branch === undefined ? '*' : `refs/heads/${branch}`
  const quoted = `'${message.replaceAll("'", `'\\''`)}'`
  return `while read -r old new ref; do case "$ref" in ${guarded}) echo ${quoted} >&2; exit 1;; esac; done`
}
