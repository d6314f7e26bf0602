import { setCurrentDetails, workflowInfo } from '@temporalio/workflow'
import type { EventPage, JobEvent, JobEventBody, Phase, StepReport, WaitingFor } from '../../contract/job.ts'
import { stepOutputName } from '../../contract/output.ts'

/** More are dropped, oldest first; a page then starts at a higher `seq`. */
const MAX_EVENTS = 2_000
/** Events a query answers with at most. */
const PAGE = 200

/** What a job has done and does now: the state behind its queries and its page in the Temporal UI. */
export class Journal {
  phase: Phase = 'prepare'
  round = 1
  current: string | null = null
  waitingFor: WaitingFor | null = null
  commit: string | null = null
  readonly steps: StepReport[] = []
  readonly #events: JobEvent[] = []
  #next = 0

  /** Under which the output of the step that is about to begin is kept. */
  get outputName(): string {
    return stepOutputName(workflowInfo().runId, this.steps.length)
  }

  enter(phase: Phase): void {
    this.phase = phase
    this.current = null
    this.record({ type: 'phase', phase })
  }

  record(event: JobEventBody): void {
    this.#events.push({ seq: this.#next++, at: Date.now(), ...event })
    if (this.#events.length > MAX_EVENTS) this.#events.shift()
    setCurrentDetails(this.#details())
  }

  startStep(kind: StepReport['kind'], name: string): void {
    this.current = name
    this.record({ type: 'stepStarted', step: this.steps.length, kind, name, round: this.round })
  }

  finishStep(done: Omit<StepReport, 'step'>, output: string): StepReport {
    const report = { step: this.steps.length, ...done }
    this.current = null
    this.steps.push(report)
    this.record({ type: 'stepFinished', ...report, output })
    return report
  }

  events(from = 0): EventPage {
    const start = Math.max(0, from - (this.#events[0]?.seq ?? 0))
    return {
      events: this.#events.slice(start, start + PAGE),
      next: this.#events[start + PAGE]?.seq ?? this.#next,
    }
  }

  #details(): string {
    const lines = [`**${this.phase}**${this.current ? `: ${this.current}` : ''}`]
    if (this.waitingFor?.kind === 'review')
      lines.push('', `Waits for a review: \`${this.waitingFor.answerWith}\``)
    if (this.waitingFor?.kind === 'outage') {
      const { failure, until } = this.waitingFor
      lines.push(
        '',
        `Waits for ${failure.type}: ${failure.message}`,
        '',
        `Next try: ${new Date(until).toISOString()}`,
      )
    }
    if (this.steps.length > 0) {
      lines.push('', '| step | round | exit | time |', '|---|---|---|---|')
      for (const { kind, name, round, exitCode, ms } of this.steps.slice(-30))
        lines.push(`| ${kind}: ${name.replaceAll('|', '\\|')} | ${round} | ${exitCode} | ${ms} ms |`)
    }
    return lines.join('\n')
  }
}
