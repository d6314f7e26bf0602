import type { DiffSummary } from '../../contract/job.ts'
import type { AgentJobSpec } from '../../contract/spec.ts'
import { mapped } from '../lib/e2b.ts'
import { REPOSITORY, type ActivityDeps } from '../lib/deps.ts'
import { failure } from '../../contract/failure.ts'
import { RUNNER_HOME } from '../lib/runner.ts'
import type { SandboxEgress } from '../lib/egress-headers.ts'
import { runGit } from '../lib/git-command.ts'
import { COMMIT, LOOK, PUSH, WRITE_SENTINEL } from '../lib/git-scripts.ts'
import type { SandboxTarget } from '../lib/target.ts'

export interface CloneInput extends SandboxTarget {
  repo: AgentJobSpec['repo']
  egress?: SandboxEgress | undefined
  branch: string
  /** Whether the branch may be on the remote already. */
  mayExist: boolean
  newSentinel: string
}

export interface CommitInput extends SandboxTarget {
  baseCommit: string
  message: string
  author: { name: string; email: string }
  /** Value of the trailer `Holdfast-Job`, by which the commit is found again. */
  trailer: string
  /** What `readDiff` saw, where just that is to be committed; otherwise what is there. */
  seen?: string | undefined
}

export interface PushInput extends SandboxTarget {
  repo: AgentJobSpec['repo']
  egress?: SandboxEgress | undefined
  branch: string
  commit: string
  baseCommit: string
  /** By which work that is on the remote's branch already is known as ours. */
  trailer: string
  onConflict: 'fail' | 'rebase'
  /** Who a rebased commit is by. */
  author: { name: string; email: string }
}

const MAX_DIFF_BYTES = 200 * 1024

export const gitActivities = (deps: ActivityDeps) => ({
  /**
   * `git clone` of the base, then the job's branch. A second attempt finds the finished clone, or starts over.
   *
   * @throws `RepositoryNotFound`, `GitAuthenticationFailed`, `BaseNotFound`, `BranchExists`, `GitHostUnreachable`
   */
  async cloneRepository(input: CloneInput): Promise<{ baseCommit: string }> {
    const { url, base, depth } = input.repo
    const result = await runGit(deps, input, {
      cwd: '/home/user',
      remote: { ...input.repo, egress: input.egress },
      timeoutMs: 60 * 60_000,
      accept: [3],
      envs: {
        URL: url,
        BASE: base,
        BRANCH: input.branch,
        MAY_EXIST: String(input.mayExist),
        REPOSITORY,
        SENTINEL: input.newSentinel,
      },
      script: `if [ ! -d "$REPOSITORY" ]; then
  rm -rf "$REPOSITORY.partial"
  git clone --progress --single-branch --branch "$BASE" ${depth ? `--depth ${depth}` : ''} -- "$URL" "$REPOSITORY.partial"
  cd "$REPOSITORY.partial"
  [ "$MAY_EXIST" = true ] || [ -z "$(git ls-remote --heads origin "refs/heads/$BRANCH")" ] || exit 3
  git checkout --quiet -b "$BRANCH"
  mv "$REPOSITORY.partial" "$REPOSITORY"
fi
${WRITE_SENTINEL}
git -C "$REPOSITORY" rev-parse "origin/$BASE"`,
    })
    if (result.exitCode === 3)
      throw failure('BranchExists', `the remote has a branch named ${input.branch} already`)
    return { baseCommit: result.stdout.head.trim() }
  },

  /**
   * All that differs from the base, new files too. Reads only; a second attempt reads again. The diff's text is cut at
   * 200 KB. `seen` names what was looked at: the tree, and the parents of a commit of it, as git's `%T %P` prints them.
   */
  async readDiff(input: SandboxTarget & { baseCommit: string }): Promise<DiffSummary & { seen?: string }> {
    const file = `${RUNNER_HOME}/diff`
    const result = await runGit(deps, input, {
      envs: { BASE: input.baseCommit, FILE: file, LIMIT: String(MAX_DIFF_BYTES) },
      script: `${LOOK}
git diff --no-ext-diff --no-textconv "$BASE" "$tree" >"$FILE.all"
stat -c %s "$FILE.all"
head -c "$LIMIT" "$FILE.all" >"$FILE"; rm -f "$FILE.all"
echo "$tree $parents"
git diff --no-ext-diff --no-textconv --shortstat "$BASE" "$tree"`,
    })
    const [bytes = '0', seen = '', counts = ''] = result.stdout.head.trim().split('\n')
    const sandbox = await deps.e2b.connect(input.sandboxId, input.sandboxTimeoutMs)
    const truncated = Number(bytes) > MAX_DIFF_BYTES
    const diff = await mapped('files.read', () => sandbox.files.read(file))
    return { ...parseShortstat(counts), text: deps.secrets.redact(diff, { end: truncated }), truncated, seen }
  },

  /**
   * Commits what was seen, or else everything, on the job's branch. A second attempt finds the commit by its trailer. The commit is
   * null where what was seen isn't there any more: in a sandbox that was restored.
   *
   * @throws `NothingToCommit`
   */
  async commitWork(input: CommitInput): Promise<{ commit: string | null }> {
    const { name, email } = input.author
    const result = await runGit(deps, input, {
      accept: [3, 4],
      envs: {
        BASE: input.baseCommit,
        SEEN: input.seen ?? '',
        MESSAGE: input.message,
        TRAILER: input.trailer,
        GIT_AUTHOR_NAME: name,
        GIT_AUTHOR_EMAIL: email,
        GIT_COMMITTER_NAME: name,
        GIT_COMMITTER_EMAIL: email,
      },
      script: COMMIT,
    })
    if (result.exitCode === 3) throw failure('NothingToCommit', 'the repository is as the base is')
    return { commit: result.exitCode === 4 ? null : result.stdout.head.trim() }
  },

  /**
   * Pushes the commit to a branch that must not exist yet, or hold this very commit: so a push whose reply was lost is
   * found done. Where the branch has other work and the spec says so, the commit is rebased onto it; one that is there
   * already is known by its trailer.
   *
   * @throws `PushNotFastForward`, `PushHookRejected`, `PushForbidden`, `GitAuthenticationFailed`, `GitHostUnreachable`
   */
  async pushBranch(input: PushInput): Promise<{ remoteHead: string }> {
    const { name, email } = input.author
    const result = await runGit(deps, input, {
      remote: { ...input.repo, egress: input.egress },
      timeoutMs: 60 * 60_000,
      accept: [3],
      envs: {
        URL: input.repo.url,
        BRANCH: input.branch,
        COMMIT: input.commit,
        BASE: input.baseCommit,
        TRAILER: input.trailer,
        ON_CONFLICT: input.onConflict,
        GIT_COMMITTER_NAME: name,
        GIT_COMMITTER_EMAIL: email,
      },
      script: PUSH,
    })
    const [commit = '', remoteHead = ''] = result.stdout.head.trim().split('\n')
    if (result.exitCode === 3)
      throw failure('PushNotFastForward', 'the work conflicts with what is on the branch now', {
        output: result.stderr.head,
      })
    if (remoteHead !== commit)
      throw failure(
        'PushNotFastForward',
        `after the push the branch is at ${remoteHead || 'nothing'}, not at ${commit}`,
      )
    return { remoteHead }
  },
})

/** Parses `git diff --shortstat`. */
export function parseShortstat(line: string): { files: number; insertions: number; deletions: number } {
  const count = (pattern: RegExp): number => Number(pattern.exec(line)?.[1] ?? 0)
  return {
    files: count(/(\d+) files? changed/),
    insertions: count(/(\d+) insertion/),
    deletions: count(/(\d+) deletion/),
  }
}
