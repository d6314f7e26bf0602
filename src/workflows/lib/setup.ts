import type { SandboxTarget } from '../../activities/lib/target.ts'
import type { CommandResult } from '../../contract/job.ts'
import type { CommandStep } from '../../contract/spec.ts'
import { jobFailure } from './failures.ts'

type Run = (target: SandboxTarget) => Promise<CommandResult>

/** Commands that make what checkpoints don't hold, by their text: they run again in each new sandbox. */
export class Setup {
  readonly #runs = new Map<string, Run>()

  get isEmpty(): boolean {
    return this.#runs.size === 0
  }

  add({ cwd, run: text }: CommandStep, run: Run): void {
    this.#runs.set(JSON.stringify([cwd, text]), run)
  }

  /** @param target asked anew for each: what it says of the sandbox changes */
  async repeat(target: () => SandboxTarget): Promise<void> {
    for (const run of this.#runs.values()) {
      const { exitCode } = await run(target())
      if (exitCode !== 0)
        throw jobFailure('StepFailed', `a step that runs again in a restored sandbox exited with ${exitCode}`)
    }
  }
}
