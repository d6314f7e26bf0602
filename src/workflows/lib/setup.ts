import type { RunCommandInput } from '../../activities/job/commands.ts'
import type { SandboxTarget } from '../../activities/lib/target.ts'
import type { CommandResult } from '../../contract/job.ts'
import { perform } from './activities.ts'
import { jobFailure } from './failures.ts'

/** A command of the spec, wherever it runs. */
export interface Command extends Omit<RunCommandInput, keyof SandboxTarget> {
  key: string
  /** What the Temporal UI shows beside it. */
  summary: string
}

export const runIn = (target: SandboxTarget, { summary, ...command }: Command): Promise<CommandResult> =>
  perform(
    'runCommand',
    summary,
    { ...target, ...command },
    // The runner ends the command at its time; this is for a worker that doesn't answer any more.
    { startToCloseTimeout: command.timeoutMs + 10 * 60_000 },
  )

/** Commands that make what checkpoints don't hold, by their text: they run again in each new sandbox. */
export class Setup {
  readonly #commands: Map<string, Command>

  constructor(earlier: Command[] = []) {
    this.#commands = new Map(earlier.map((command) => [textOf(command), command]))
  }

  get saved(): Command[] {
    return [...this.#commands.values()]
  }

  get isEmpty(): boolean {
    return this.#commands.size === 0
  }

  add(command: Command): void {
    this.#commands.set(textOf(command), command)
  }

  /** @param target asked anew for each: what it says of the sandbox changes */
  async repeat(target: () => SandboxTarget): Promise<void> {
    for (const command of this.#commands.values()) {
      const { exitCode } = await runIn(target(), command)
      if (exitCode !== 0)
        throw jobFailure('StepFailed', `a step that runs again in a restored sandbox exited with ${exitCode}`)
    }
  }
}

const textOf = ({ cwd, script }: Command): string => JSON.stringify([cwd, script])
