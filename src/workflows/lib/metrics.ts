import { metricMeter } from '@temporalio/workflow'
import type { JobEventBody } from '../../contract/job.ts'
import { type CounterName, type HistogramName, METRICS } from '../../contract/metrics.ts'
import type { Cost } from '../../contract/cost.ts'
import { Journal } from './journal.ts'

/** Counts once, however often the workflow is replayed. */
function counted(name: CounterName, labels: Record<string, string>): void {
  const { name: metric, help } = METRICS[name]
  metricMeter.createCounter(metric, undefined, help).add(1, labels)
}

function recorded(name: HistogramName, value: number, labels: Record<string, string> = {}): void {
  const { name: metric, help } = METRICS[name]
  metricMeter.createHistogram(metric, 'float', undefined, help).record(value, labels)
}

/** A journal whose events are counted. */
export class MeasuredJournal extends Journal {
  #waitingSince = 0
  #outage = false

  override record(event: JobEventBody): void {
    super.record(event)
    const { type } = event
    if (type === 'phase') counted('jobPhases', { phase: event.phase })
    else if (type === 'sandboxLost') counted('sandboxLosses', { failure: event.failure.type })
    else if (type === 'reviewRequested') this.#waits('review')
    else if (type === 'reviewAnswered') this.#waited('review')
    else if (type === 'waitBegan') this.#waits('step')
    else if (type === 'waitEnded') this.#waited('step')
    else if (type === 'outage' && !this.#outage) this.#outageBegan()
    else if (type === 'outageOver') this.#outageEnded(event.ms)
  }

  /** One outage has many tries. */
  #outageBegan(): void {
    this.#outage = true
    counted('jobWaits', { kind: 'outage' })
  }

  #outageEnded(ms: number): void {
    this.#outage = false
    recorded('jobWaitSeconds', ms / 1000, { kind: 'outage' })
  }

  #waits(kind: 'review' | 'step'): void {
    this.#waitingSince = Date.now()
    counted('jobWaits', { kind })
  }

  #waited(kind: 'review' | 'step'): void {
    recorded('jobWaitSeconds', (Date.now() - this.#waitingSince) / 1000, { kind })
  }
}

/** @param outcome completed, rejected, cancelled, or the type of the failure */
export function jobEnded(outcome: string, { usd, savedByPausingUsd }: Cost): void {
  counted('jobsEnded', { outcome })
  recorded('jobCostUsd', usd)
  recorded('jobSavedUsd', savedByPausingUsd)
}
