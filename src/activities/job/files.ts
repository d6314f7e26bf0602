import type { CommandResult } from '../../contract/job.ts'
import type { ActivityDeps } from '../lib/deps.ts'
import { failure } from '../../contract/failure.ts'
import { gitApply, putFile, type FileToWrite } from '../lib/repository-files.ts'
import type { SandboxTarget } from '../lib/target.ts'

export type WriteFileInput = SandboxTarget & FileToWrite

export interface ApplyPatchInput extends SandboxTarget {
  patch: string
  /** Names the patch's file in the sandbox; the same for every attempt. */
  patchId: string
}

export const fileActivities = (deps: ActivityDeps) => ({
  /**
   * Writes a file of the repository, through E2B's `files.write`, then puts it in place. A second attempt writes the same again.
   *
   * @throws `StepFailed` where a link leads the path out of the repository
   */
  async writeFile(input: WriteFileInput): Promise<CommandResult> {
    const result = await putFile(deps, input, input)
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
    const result = await gitApply(deps, input, input)
    if (result.exitCode !== 0)
      throw failure('PatchRejected', `git does not apply the patch: ${result.stderr.head.split('\n')[0]}`, {
        output: result.stderr.head,
      })
    return result
  },
})
