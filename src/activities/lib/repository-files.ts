import { randomUUID } from 'node:crypto'
import type { CommandResult } from '../../contract/job.ts'
import { REPOSITORY, type ActivityDeps } from './deps.ts'
import { runDurably } from './durable-command.ts'
import { mapped } from './e2b.ts'
import { RUNNER_HOME } from './runner.ts'
import type { SandboxTarget } from './target.ts'

/** A path that a symbolic link in the repository leads out of it would write elsewhere. */
const INSIDE = `case "$(realpath -m -- "$HOLDFAST_PATH")" in "$PWD"/.git|"$PWD"/.git/*) exit 1;; "$PWD"/*) ;; *) exit 1;; esac`

export interface FileToWrite {
  /** In the repository. */
  path: string
  content: string
  executable?: boolean | undefined
}

/** Writes a file of the repository; exits with 1 where a link leads the path out of it. May be repeated. */
export function putFile(
  deps: ActivityDeps,
  target: SandboxTarget,
  { path, content, executable }: FileToWrite,
): Promise<CommandResult> {
  return runStaged(deps, target, {
    name: Buffer.from(path).toString('base64url').slice(-100),
    content,
    envs: { HOLDFAST_PATH: path },
    script: `${INSIDE}
mkdir -p -- "$(dirname -- "$HOLDFAST_PATH")" && cat -- "$HOLDFAST_STAGED" >"$HOLDFAST_PATH"${executable ? ' && chmod +x -- "$HOLDFAST_PATH"' : ''}`,
  })
}

/** Applies a unified diff with `git apply`; one that is applied already is found so. */
export function gitApply(
  deps: ActivityDeps,
  target: SandboxTarget,
  { patch, patchId }: { patch: string; patchId: string },
): Promise<CommandResult> {
  return runStaged(deps, target, {
    name: `${patchId}.patch`,
    content: patch.endsWith('\n') ? patch : `${patch}\n`,
    envs: { LC_ALL: 'C' },
    script: `git apply --reverse --check "$HOLDFAST_STAGED" 2>/dev/null && { echo 'already applied'; exit 0; }
git apply --whitespace=nowarn "$HOLDFAST_STAGED" && git apply --numstat "$HOLDFAST_STAGED"`,
  })
}

/** Puts a file beside the repository and runs a script there, with the file's path in `HOLDFAST_STAGED`. May be repeated. */
async function runStaged(
  deps: ActivityDeps,
  { sandboxId, sandboxNumber, sandboxTimeoutMs, sentinels, key }: SandboxTarget,
  {
    name,
    content,
    envs,
    script,
  }: { name: string; content: string; envs: Record<string, string>; script: string },
): Promise<CommandResult> {
  const sandbox = await deps.e2b.connect(sandboxId, sandboxTimeoutMs)
  // Its own for each attempt: the script of an earlier one may be reading the other.
  const staged = `${RUNNER_HOME}/staged/${randomUUID()}-${name}`
  await mapped('files.write', () => sandbox.files.write(staged, content))
  return runDurably(deps, {
    sandboxId,
    sandboxNumber,
    sandboxTimeoutMs,
    sentinels,
    key,
    script: `trap 'rm -f -- "$HOLDFAST_STAGED"' EXIT\n${script}`,
    cwd: REPOSITORY,
    envs: { ...envs, HOLDFAST_STAGED: staged },
    timeoutMs: 60_000,
    repeatable: true,
  })
}
