import { workflowInfo } from '@temporalio/workflow'
import type { EventPage, JobEvent, JobEventBody, Phase, StepReport, WaitingFor } from '../../contract/job.ts'
import { stepOutputName } from '../../contract/output.ts'
import type { Display } from './display.ts'
import type { JobView } from './job-view.ts'

/** More are dropped, oldest first; a page then starts at a higher `seq`. */
const MAX_EVENTS = 2_000
/** Events a query answers with at most. */
const PAGE = 200

/** For the next run of the workflow: a job waits for nothing then, and has not ended. */
export interface JournalState extends Pick<
  Journal,
  'phase' | 'round' | 'current' | 'lastOutput' | 'refused'
> {
  /** Of the workflow's first run, after which outputs are named. */
  firstRunId: string
  steps: StepReport[]
  events: JobEvent[]
  next: number
}

/** What a job has done and does now: the state behind its queries and behind what the Temporal UI shows. */
export class Journal {
  phase: Phase = 'prepare'
  round = 1
  current: string | null = null
  waitingFor: WaitingFor | null = null
  commit: string | null = null
  lastOutput: JobView['lastOutput'] = null
  ended: JobView['ended'] = null
  refused: string | null = null
  readonly firstRunId: string
  readonly steps: StepReport[]
  readonly #events: JobEvent[]
  #next = 0
  readonly #display: Pick<Display, 'show' | 'publish'>

  constructor(display: Pick<Display, 'show' | 'publish'>, earlier?: JournalState) {
    this.#display = display
    const { firstRunId = workflowInfo().runId, steps = [], events = [], next = 0, ...now } = earlier ?? {}
    Object.assign(this, now)
    this.firstRunId = firstRunId
    this.steps = steps
    this.#events = events
    this.#next = next
  }

  get saved(): JournalState {
    const { firstRunId, phase, round, current, lastOutput, refused, steps } = this
    const [events, next] = [this.#events, this.#next]
    return { firstRunId, phase, round, current, lastOutput, refused, steps, events, next }
  }

  /** Under which the output of the step that is about to begin is kept. */
  get outputName(): string {
    return stepOutputName(this.firstRunId, this.steps.length)
  }

  enter(phase: Phase): void {
    this.phase = phase
    this.current = null
    this.record({ type: 'phase', phase })
  }

  record(event: JobEventBody): void {
    this.#events.push({ seq: this.#next++, at: Date.now(), ...event })
    if (this.#events.length > MAX_EVENTS) this.#events.shift()
    this.#display.show(event)
  }

  /** An answer to a review, and what is wrong with it. */
  refuse(why: string): void {
    this.refused = why
    this.record({ type: 'reviewRefused', why })
  }

  /** The job stands still now: the list says why. */
  standStill(): void {
    this.#display.publish()
  }

  /** @returns its number */
  startStep(kind: StepReport['kind'], name: string, more: { agent?: string } = {}): number {
    const step = this.steps.length
    this.current = name
    this.record({ type: 'stepStarted', step, kind, name, round: this.round, ...more })
    return step
  }

  finishStep(done: Omit<StepReport, 'step'>, output: string): StepReport {
    const report = { step: this.steps.length, ...done }
    this.current = null
    this.steps.push(report)
    if (output) this.lastOutput = { step: report.name, text: output }
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
}
