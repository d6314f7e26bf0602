import type { CommandResult } from '../../contract/job.ts'
import { REPOSITORY, type ActivityDeps } from '../lib/deps.ts'
import { runDurably } from '../lib/durable-command.ts'
import { mapped } from '../lib/e2b.ts'
import { failure } from '../../contract/failure.ts'
import { RUNNER_HOME } from '../lib/runner.ts'
import type { SandboxTarget } from '../lib/target.ts'

export interface WriteFileInput extends SandboxTarget {
  path: string
  content: string
  executable?: boolean | undefined
}

export interface ApplyPatchInput extends SandboxTarget {
  patch: string
  /** Names the patch's file in the sandbox; the same for every attempt. */
  patchId: string
}

/** A path that a symbolic link in the repository leads out of it would write elsewhere. */
const INSIDE = `case "$(realpath -m -- "$HOLDFAST_PATH")" in "$PWD"/.git|"$PWD"/.git/*) exit 1;; "$PWD"/*) ;; *) exit 1;; esac`

export const fileActivities = (deps: ActivityDeps) => ({
  /**
   * Writes a file of the repository, through E2B's `files.write`, then puts it in place. A second attempt writes the same again.
   *
   * @throws `StepFailed` where a link leads the path out of the repository
   */
  async writeFile(input: WriteFileInput): Promise<CommandResult> {
    const name = Buffer.from(input.path).toString('base64url').slice(-100)
    const result = await runStaged(deps, input, {
      name,
      content: input.content,
      envs: { HOLDFAST_PATH: input.path },
      script: `${INSIDE}
mkdir -p -- "$(dirname -- "$HOLDFAST_PATH")" && cat -- "$HOLDFAST_STAGED" >"$HOLDFAST_PATH"${input.executable ? ' && chmod +x -- "$HOLDFAST_PATH"' : ''}`,
    })
    if (result.exitCode !== 0)
      throw failure(
        'StepFailed',
        `can't write ${input.path}: a link leads it out of the repository, or it is a folder`,
        {
          output: result.stderr.head,
        },
      )
    return result
  },

  /**
   * Applies a unified diff with `git apply`. A second attempt, or a second application, finds it applied, which is success.
   *
   * @throws `PatchRejected` with git's message
   */
  async applyPatch(input: ApplyPatchInput): Promise<CommandResult> {
    const result = await runStaged(deps, input, {
      name: `${input.patchId}.patch`,
      content: input.patch.endsWith('\n') ? input.patch : `${input.patch}\n`,
      envs: { LC_ALL: 'C' },
      script: `git apply --reverse --check "$HOLDFAST_STAGED" 2>/dev/null && { echo 'already applied'; exit 0; }
git apply --whitespace=nowarn "$HOLDFAST_STAGED" && git apply --numstat "$HOLDFAST_STAGED"`,
    })
    if (result.exitCode !== 0)
      throw failure('PatchRejected', `git does not apply the patch: ${result.stderr.head.split('\n')[0]}`, {
        output: result.stderr.head,
      })
    return result
  },
})

/** Puts a file beside the repository and runs a script there, with the file's path in `HOLDFAST_STAGED`. May be repeated. */
async function runStaged(
  deps: ActivityDeps,
  { sandboxId, sandboxNumber, sandboxTimeoutMs, sentinels }: SandboxTarget,
  {
    name,
    content,
    envs,
    script,
  }: { name: string; content: string; envs: Record<string, string>; script: string },
): Promise<CommandResult> {
  const sandbox = await deps.e2b.connect(sandboxId, sandboxTimeoutMs)
  const staged = `${RUNNER_HOME}/staged/${name}`
  await mapped('files.write', () => sandbox.files.write(staged, content))
  return runDurably(deps, {
    sandboxId,
    sandboxNumber,
    sandboxTimeoutMs,
    sentinels,
    script,
    cwd: REPOSITORY,
    envs: { ...envs, HOLDFAST_STAGED: staged },
    timeoutMs: 60_000,
    repeatable: true,
  })
}
