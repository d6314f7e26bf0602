import { patched, sleep, workflowInfo } from '@temporalio/workflow'
import { stepName } from '../../contract/job.ts'
import type { SleepStep, Step, WaitStep } from '../../contract/spec.ts'
import { jobFailure } from './failures.ts'
import type { Journal } from './journal.ts'
import type { Notifications } from './notifications.ts'
import type { Workspace } from './workspace.ts'

/** Shorter waits, in ms, are over before somebody sees them in a list. */
const SEEN_MS = 20_000

/** Steps that wait, with the sandbox paused where that pays. */
export class Waits {
  readonly #journal: Journal
  readonly #workspace: Workspace
  readonly #notifications: Notifications

  constructor(journal: Journal, workspace: Workspace, notifications: Notifications) {
    this.#journal = journal
    this.#workspace = workspace
    this.#notifications = notifications
  }

  /**
   * Waits that a job begins with, before it has a sandbox: there is nothing to pause, and nothing is out of date afterwards.
   *
   * @returns how many steps these were
   */
  async runAhead(steps: Step[]): Promise<number> {
    const first = steps.findIndex((step) => !isWait(step))
    const ahead = steps.slice(0, first < 0 ? steps.length : first).filter(isWait)
    if (ahead.length === 0 || !patched('what a job begins with by waiting needs no sandbox')) return 0
    for (const step of ahead) await this.run(step)
    return ahead.length
  }

  /** @throws `StepFailed` where nobody notified the job in time and the step says that this fails it */
  async run(step: SleepStep | WaitStep): Promise<void> {
    const name = stepName(step)
    const since = Date.now()
    const until = since + ('sleep' in step ? step.sleep : step.timeout)
    this.#journal.current = name
    this.#journal.record({ type: 'waitBegan', for: name, until })
    const inTime = await ('sleep' in step ? this.#sleep(step, since) : this.#waitFor(step, since))
    this.#journal.waitingFor = null
    this.#journal.record({ type: 'waitEnded', for: name, timedOut: !inTime })
    const kind = 'sleep' in step ? 'sleep' : 'waitFor'
    const { round } = this.#journal
    const done = { kind, name, round, ms: Date.now() - since, exitCode: inTime ? 0 : 124 } as const
    this.#journal.finishStep(done, '')
    if (!inTime && 'waitFor' in step && step.onTimeout === 'fail')
      throw jobFailure('StepFailed', `nobody notified the job of "${step.waitFor}" in time`)
  }

  async #sleep(step: SleepStep, since: number): Promise<boolean> {
    const until = since + step.sleep
    this.#journal.waitingFor = { kind: 'timer', since, until }
    await this.#workspace.pauseAcross(stepName(step), step.sleep, () =>
      this.#standStill(until, (leftMs) => sleep(leftMs, { summary: stepName(step) })),
    )
    return true
  }

  /** What came already isn't waited for, so nothing is paused. */
  async #waitFor(step: WaitStep, since: number): Promise<boolean> {
    const { waitFor: name, timeout } = step
    if (this.#notifications.take(name)) return true
    const until = since + timeout
    const answerWith = `holdfast notify ${workflowInfo().workflowId} ${name}`
    this.#journal.waitingFor = { kind: 'notification', name, since, until, answerWith }
    return this.#workspace.pauseAcross(stepName(step), Infinity, () =>
      this.#standStill(until, (leftMs) => this.#notifications.wait(name, leftMs)),
    )
  }

  #standStill<T>(until: number, wait: (leftMs: number) => Promise<T>): Promise<T> {
    const leftMs = Math.max(0, until - Date.now())
    if (leftMs >= SEEN_MS) this.#journal.standStill()
    return wait(leftMs)
  }
}

const isWait = (step: Step): step is SleepStep | WaitStep => 'sleep' in step || 'waitFor' in step
