import type { ParsedInput } from '../contract/operations/inputs.ts'
import { failure } from '../contract/failure.ts'
import { exited } from './lib/e2b.ts'
import { gitEnvironment, type Remote, runGit } from './lib/git-command.ts'
import { gitFailureType, gitMessage } from './lib/git-failures.ts'
import { parseGitStatus } from './lib/git-status.ts'
import type { Family, Use } from './lib/operation.ts'

/**
 * Git in the sandbox, as durable commands: E2B's own `git` module is deprecated. Those that talk to a remote find what an
 * earlier run has done; the others run once, and end as `OutcomeUnknown` where that can't be known.
 *
 * Every one throws the git failures of the closed list, by git's message.
 */
export const gitOperations = {
  /** `git clone`. A second run finds its finished clone by the key in it, or starts over. */
  'git.clone': async (use, { url, path, branch, depth, auth, user, timeoutMs, ...options }) => {
    const { stdout } = await git(use, {
      cwd: '.',
      user,
      timeoutMs,
      remote: { url, auth },
      envs: {
        URL: url,
        DIR: path ?? nameOf(url),
        BRANCH: branch ?? '',
        DEPTH: String(depth ?? ''),
        KEY: use.key.key ?? '',
        STORED_URL: auth && options.dangerouslyStoreCredentials ? withCredentials(use, url, auth) : '',
      },
      script: CLONE,
    })
    const [where = '', commit = ''] = stdout.head.trim().split('\n').slice(-2)
    return { path: where, commit }
  },

  /** `git config` of user.name and user.email. A second run writes the same again. */
  'git.configureUser': async (use, { name, email, path, user }) => {
    await git(use, {
      cwd: path ?? '.',
      user,
      envs: { NAME: name, EMAIL: email, LEVEL: path ? '--local' : '--global' },
      script: 'git config "$LEVEL" user.name "$NAME"; git config "$LEVEL" user.email "$EMAIL"',
    })
  },

  /** `git checkout -b`. Runs once. */
  'git.createBranch': async (use, { path, branch, user }) => {
    const script = 'git checkout --quiet -b "$BRANCH"'
    await git(use, { cwd: path, user, hooks: true, envs: { BRANCH: branch }, script, repeatable: false })
  },

  /** `git checkout`. A second run finds it checked out. */
  'git.checkout': async (use, { path, branch, user }) => {
    const script = 'git checkout --quiet "$BRANCH" --'
    await git(use, { cwd: path, user, hooks: true, envs: { BRANCH: branch }, script })
  },

  /** `git add`, of all or of the files named. A second run adds nothing more. */
  'git.add': async (use, { path, files, user }) => {
    const list = files?.map((file) => `${file}\0`).join('') ?? ''
    await git(use, {
      cwd: path,
      user,
      envs: { FILES: Buffer.from(list).toString('base64') },
      script: files
        ? 'printf %s "$FILES" | base64 -d | git --literal-pathspecs add --pathspec-from-file=- --pathspec-file-nul'
        : 'git add --all',
    })
  },

  /** `git commit` of what is staged. Runs once. @throws `NothingToCommit` */
  'git.commit': async (use, { path, message, author, allowEmpty, user }) => {
    const { exitCode, stdout } = await git(use, {
      cwd: path,
      user,
      accept: [3],
      repeatable: false,
      hooks: true,
      envs: { MESSAGE: message, ALLOW_EMPTY: String(allowEmpty), ...(author && authorOf(author)) },
      script: `[ "$ALLOW_EMPTY" != true ] || set -- --allow-empty
git commit --quiet "$@" --cleanup=whitespace -m "$MESSAGE" || {
  code=$?; ! git diff --cached --quiet || exit 3
  exit "$code"
}
git rev-parse HEAD`,
    })
    if (exitCode === 3) throw failure('NothingToCommit', 'nothing is staged')
    return { commit: stdout.head.trim() }
  },

  /** `git push`. A second run finds it pushed. */
  'git.push': async (use, { path, remote, branch, setUpstream, auth, user, timeoutMs }) => {
    const { stdout } = await git(use, {
      cwd: path,
      user,
      timeoutMs,
      remote: await remoteOf(use, { path, remote, auth, user }),
      envs: { REMOTE: remote, BRANCH: branch ?? '', UPSTREAM: String(setUpstream) },
      script: `${CURRENT}
set -- "$REMOTE" "refs/heads/$branch:refs/heads/$branch"
[ "$UPSTREAM" != true ] || set -- --set-upstream "$@"
git push --porcelain "$@" >&2
printf '%s\\n' "$branch"; git rev-parse "refs/heads/$branch"`,
    })
    const [pushed = '', commit = ''] = stdout.head.trim().split('\n')
    return { branch: pushed, commit }
  },

  /** `git pull`, a merge where there is something to merge. A second run finds it up to date. */
  'git.pull': async (use, { path, remote, branch, auth, user, timeoutMs }) => {
    const { stdout } = await git(use, {
      cwd: path,
      user,
      timeoutMs,
      remote: await remoteOf(use, { path, remote, auth, user }),
      envs: { REMOTE: remote, BRANCH: branch ?? '' },
      script: `${CURRENT}
git pull --quiet --no-rebase --no-edit "$REMOTE" "refs/heads/$branch" >&2
git rev-parse HEAD`,
    })
    return { commit: stdout.head.trim() }
  },

  /** `git status`. Reads only. */
  'git.status': async (use, { path, user }) =>
    parseGitStatus(await readGit(use, { path, user, line: 'status --porcelain=v2 --branch -z' })),

  /** `git branch`. Reads only. */
  'git.branches': async (use, { path, user }) => {
    const line = `branch --format='%(HEAD)%(refname:short)'`
    const lines = (await readGit(use, { path, user, line })).split('\n').filter(Boolean)
    const current = lines.find((line) => line.startsWith('*'))?.slice(1)
    return {
      branches: lines.slice(0, MAX_BRANCHES).map((line) => line.slice(1)),
      ...(current && !current.startsWith('(') && { currentBranch: current }),
    }
  },

  /**
   * E2B's method of this name: stores the credentials in the user's home, where all that runs there can read them. A second
   * run stores the same again.
   */
  'git.dangerouslyAuthenticate': async (use, { host, auth, user }) => {
    const { protocol, host: name } = new URL(host)
    await git(use, {
      cwd: '.',
      user,
      envs: {
        PROTOCOL: protocol.slice(0, -1),
        HOST: name,
        USERNAME: auth.username,
        PASSWORD: use.deps.secrets.resolve(auth.secret, host),
      },
      script: `git config --global credential.helper store
printf 'protocol=%s\\nhost=%s\\nusername=%s\\npassword=%s\\n\\n' "$PROTOCOL" "$HOST" "$USERNAME" "$PASSWORD" |
  git -c credential.helper=store credential approve`,
    })
  },
} satisfies Family<'git'>

const MAX_BRANCHES = 1_000
const MAX_READ = 1_000_000

/** The clone is made beside its place and moved there whole; the key in it says whose it is. */
const CLONE = `mark=$DIR/.git/holdfast-clone key=
[ ! -e "$mark" ] || read -r key <"$mark"
if [ -z "$KEY" ] || [ "$key" != "$KEY" ]; then
  partial="$DIR.holdfast-partial"
  [ ! -e "$partial" ] || rm -rf -- "$partial"
  set --
  [ -z "$BRANCH" ] || set -- --branch "$BRANCH" --single-branch
  [ -z "$DEPTH" ] || set -- "$@" --depth "$DEPTH"
  if [ -d "$DIR" ] && [ -n "$(ls -A "$DIR")" ]; then
    echo "fatal: destination path '$DIR' already exists and is not an empty directory." >&2; exit 128
  fi
  git clone --quiet "$@" -- "$URL" "$partial"
  [ -z "$STORED_URL" ] || git -C "$partial" remote set-url origin "$STORED_URL"
  [ -z "$KEY" ] || echo "$KEY" >"$partial/.git/holdfast-clone"
  [ ! -d "$DIR" ] || rmdir -- "$DIR"
  mv -T -- "$partial" "$DIR"
fi
cd "$DIR"; pwd; git rev-parse HEAD`

const CURRENT = 'branch=${BRANCH:-$(git symbolic-ref --quiet --short HEAD)}'

type Script = Parameters<typeof runGit>[2]

const git = (use: Use, script: Script) =>
  runGit(use.deps, { ...use.target, ...use.key, recent: !use.again }, script)

/** What git prints, without a runner: whoever only reads may do so again. @throws the git failures of the closed list */
async function readGit(
  use: Use,
  { path, user, line }: { path: string; user: string | undefined; line: string },
): Promise<string> {
  const envs = { ...gitEnvironment({}, undefined), DIR: path }
  const script = `git -C "$DIR" ${line} | head -c ${MAX_READ}; code=\${PIPESTATUS[0]}; [ "$code" = 141 ] || exit "$code"`
  const { exitCode, stdout, stderr } = await use.sdk((sandbox) =>
    exited(sandbox.commands.run(script, { envs, timeoutMs: 0, ...(user && { user }) })),
  )
  if (exitCode !== 0) throw failure(gitFailureType(stderr), gitMessage(stderr), { output: stderr })
  return stdout
}

/** The URL of a named remote, for which the credentials answer; only asked for where there are any. */
async function remoteOf(
  use: Use,
  { path, remote, auth, user }: Pick<ParsedInput<'git.push'>, 'path' | 'remote' | 'auth' | 'user'>,
): Promise<Remote | undefined> {
  if (!auth) return undefined
  const url = await use.sdk(async (sandbox) => {
    const options = { cwd: path, envs: { REMOTE: remote }, ...(user && { user }) }
    const { stdout } = await sandbox.commands.run('git remote get-url -- "$REMOTE" || :', options)
    return stdout.trim()
  })
  if (!URL.canParse(url)) throw failure('GitFailed', `there is no remote named ${remote} with a URL`)
  return { url, auth }
}

function withCredentials(use: Use, url: string, { username, secret }: NonNullable<Remote['auth']>): string {
  const stored = new URL(url)
  stored.username = username
  stored.password = use.deps.secrets.resolve(secret, url)
  return stored.href
}

const authorOf = ({ name, email }: { name: string; email: string }): Record<string, string> => ({
  GIT_AUTHOR_NAME: name,
  GIT_AUTHOR_EMAIL: email,
  GIT_COMMITTER_NAME: name,
  GIT_COMMITTER_EMAIL: email,
})

/** The folder that `git clone` would choose. */
const nameOf = (url: string): string =>
  new URL(url).pathname
    .split('/')
    .findLast(Boolean)
    ?.replace(/\.git$/, '') || 'repo'
