import type { CommandResult } from '../../contract/job.ts'
import type { AgentJobSpec } from '../../contract/spec.ts'
import { REPOSITORY, type ActivityDeps } from './deps.ts'
import { type DurableCommand, runDurably } from './durable-command.ts'
import { type SandboxEgress, withCredential } from './egress-headers.ts'
import { failure } from '../../contract/failure.ts'
import type { SandboxTarget } from './target.ts'
import { gitFailureType, gitMessage } from './git-failures.ts'

/** A remote, and who asks there. */
export interface Remote extends Pick<AgentJobSpec['repo'], 'url' | 'auth'> {
  /** The sandbox's rules, where nobody else changes them: then the token can stay outside. */
  egress?: SandboxEgress | undefined
}

interface GitScript {
  /** Shell text; `set -e` is on. */
  script: string
  envs?: Record<string, string>
  cwd?: string
  timeoutMs?: number
  /** The remote to authenticate at, for this one command. */
  remote?: Remote | undefined
  /** Exit codes that the caller reads itself. */
  accept?: number[]
  /** By whom it runs; E2B's default user if left out. */
  user?: string | undefined
  /** Whether the repository's hooks run; never where there are credentials. */
  hooks?: boolean
  /** False for a script that doesn't find what an earlier run has done. */
  repeatable?: boolean
}

const HELPER =
  '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$HOLDFAST_GIT_USERNAME" "$HOLDFAST_GIT_PASSWORD"; }; f'

type GitTarget = SandboxTarget & Pick<DurableCommand, 'key' | 'scope' | 'forget' | 'recent'>

/**
 * Runs git as a durable command. One that may be repeated finds what an earlier run has done.
 *
 * @throws the git failures of the closed list, by git's message
 */
export async function runGit(
  deps: ActivityDeps,
  { sandboxId, sandboxNumber, sandboxTimeoutMs, sentinels, key, scope, forget, recent }: GitTarget,
  git: GitScript,
): Promise<CommandResult> {
  const command = (login?: Login): Promise<CommandResult> =>
    runDurably(deps, {
      sandboxId,
      sandboxNumber,
      sandboxTimeoutMs,
      sentinels,
      key,
      scope,
      forget,
      recent,
      user: git.user,
      script: saying(git.accept) + git.script,
      cwd: git.cwd ?? REPOSITORY,
      envs: { ...gitEnvironment(git, login), ...git.envs },
      timeoutMs: git.timeoutMs ?? 10 * 60_000,
      repeatable: git.repeatable ?? true,
    })
  const { url, auth, egress } = git.remote ?? {}
  const login = url && auth && { username: auth.username, password: deps.secrets.resolve(auth.secret, url) }
  const result = await (login
    ? withCredential(
        deps,
        { sandboxId, sandboxTimeoutMs },
        { url, egress, headers: { Authorization: basic(login) } },
        (outside) => command(outside ? undefined : login),
      )
    : command())
  if (result.exitCode === 0 || git.accept?.includes(result.exitCode)) return result
  const output = `${result.stderr.head}${result.stderr.tail}`
  if (result.timedOut) throw failure('GitHostUnreachable', 'git ran into its time limit', { output })
  if (result.exitCode === UNSAID && output === '')
    throw failure('SandboxNoSpace', 'No space left on device: not even for what git had to say')
  throw failure(gitFailureType(output), gitMessage(output), { output })
}

/** Exit code of a script that failed, and whose message could not be written: ENOSPC. */
const UNSAID = 28

/** Before each script: it ends with the first command that fails. A failure is never silent: a full disk keeps git's message out. */
export const saying = (accept: number[] = []): string => `set -e
trap 'code=$?; case $code in ${[0, ...accept].join('|')}) ;; *) [ -s /dev/stderr ] || echo "git ended with $code" >&2 || exit ${UNSAID};; esac' EXIT
`

interface Login {
  username: string
  password: string
}

/** As git sends it; see `withCredential`. */
const basic = ({ username, password }: Login): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`

/**
 * Settings by environment, so that nothing is written to a disk. The credential helper answers for the repository's own
 * URL only, so that a redirect or a submodule can't draw the token elsewhere; hooks of the repository don't run where the
 * token works.
 */
export function gitEnvironment(
  { remote, hooks }: Pick<GitScript, 'remote' | 'hooks'>,
  login: Login | undefined,
): Record<string, string> {
  const settings: [string, string][] = [
    ['advice.detachedHead', 'false'],
    ...(hooks && !remote?.auth ? [] : ([['core.hooksPath', '/dev/null']] satisfies [string, string][])),
    // Of the repository's or the user's own helpers none, where credentials are given.
    ...(remote?.auth ? ([['credential.helper', '']] satisfies [string, string][]) : []),
  ]
  const environment: Record<string, string> = { GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' }
  if (remote && login) {
    settings.push([`credential.${new URL(remote.url).origin}.helper`, HELPER])
    environment.HOLDFAST_GIT_USERNAME = login.username
    environment.HOLDFAST_GIT_PASSWORD = login.password
  }
  environment.GIT_CONFIG_COUNT = String(settings.length)
  for (const [index, [key, value]] of settings.entries()) {
    environment[`GIT_CONFIG_KEY_${index}`] = key
    environment[`GIT_CONFIG_VALUE_${index}`] = value
  }
  return environment
}
