import type { CommandResult } from '../contract/job.ts'
import { REPOSITORY, type ActivityDeps } from './lib/deps.ts'
import { runDurably } from './lib/durable-command.ts'
import { mapped } from './lib/e2b.ts'
import { failure } from './lib/failures.ts'
import { quote } from './lib/runner.ts'

export interface WriteFileInput {
  sandboxId: string
  sandboxTimeoutMs: number
  path: string
  content: string
  executable?: boolean | undefined
}

export interface ApplyPatchInput {
  sandboxId: string
  sandboxTimeoutMs: number
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
    const sandbox = await deps.e2b.connect(input.sandboxId, input.sandboxTimeoutMs)
    const staged = `/home/user/.holdfast/staged/${Buffer.from(input.path).toString('base64url').slice(-100)}`
    await mapped(() => sandbox.files.write(staged, input.content))
    const result = await runDurably(deps, {
      sandboxId: input.sandboxId,
      sandboxTimeoutMs: input.sandboxTimeoutMs,
      cwd: REPOSITORY,
      timeoutMs: 6e4,
      repeatable: true,
      envs: {
        HOLDFAST_PATH: input.path,
        HOLDFAST_STAGED: staged,
      },
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
    const sandbox = await deps.e2b.connect(input.sandboxId, input.sandboxTimeoutMs)
    const file = `/home/user/.holdfast/staged/${input.patchId}.patch`
    await mapped(() =>
      sandbox.files.write(file, input.patch.endsWith('\n') ? input.patch : `${input.patch}\n`),
    )
    const result = await runDurably(deps, {
      sandboxId: input.sandboxId,
      sandboxTimeoutMs: input.sandboxTimeoutMs,
      cwd: REPOSITORY,
      timeoutMs: 6e4,
      repeatable: true,
      envs: { LC_ALL: 'C' },
      script: `git apply --reverse --check ${quote(file)} 2>/dev/null && { echo 'already applied'; exit 0; }
git apply --whitespace=nowarn ${quote(file)} && git apply --numstat ${quote(file)}`,
    })
    if (result.exitCode !== 0)
      throw failure('PatchRejected', `git does not apply the patch: ${result.stderr.head.split('\n')[0]}`, {
        output: result.stderr.head,
      })
    return result
  },
})
