import type { CommandResult } from '../../contract/job.ts'
import { REPOSITORY, type ActivityDeps } from '../lib/deps.ts'
import { runDurably } from '../lib/durable-command.ts'
import type { SandboxTarget } from '../lib/target.ts'

export interface RunCommandInput extends SandboxTarget {
  /** Names the command within the job: another activity with the same key attaches to it. */
  key: string
  script: string
  /** A folder of the repository. */
  cwd?: string | undefined
  /** Under which its output is kept. */
  output: string
  envs?: Record<string, string>
  timeoutMs: number
}

export const commandActivities = (deps: ActivityDeps) => ({
  /**
   * Runs a command line in the repository as a durable command. Its exit code is data. A second attempt attaches to the
   * running command, or finds its exit record; it never runs it again.
   *
   * @throws `OutcomeUnknown`, `SandboxGone`, `SandboxUnreachable`
   */
  async runCommand(input: RunCommandInput): Promise<CommandResult> {
    const { cwd, ...command } = input
    return runDurably(deps, { ...command, cwd: cwd ? `${REPOSITORY}/${cwd}` : REPOSITORY })
  },
})
