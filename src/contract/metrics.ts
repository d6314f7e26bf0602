interface Metric {
  /** As Prometheus shows it; a counter has `_total` after it. */
  name: string
  kind: 'counter' | 'gauge' | 'histogram'
  help: string
  /** Upper bounds of a histogram's buckets. */
  buckets?: number[]
}

const SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
const LONG_SECONDS = [1, 10, 60, 300, 1_800, 3_600, 14_400, 86_400, 604_800]
const USD = [0.001, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 50, 100]

/** Our own metrics; those of Temporal's SDK stand beside them. No label has values that grow with the number of jobs. */
export const METRICS = {
  jobsOpen: {
    name: 'holdfast_jobs_open',
    kind: 'gauge',
    help: "Jobs that aren't done, by phase, as Temporal's list has them",
  },
  jobPhases: {
    name: 'holdfast_job_phases',
    kind: 'counter',
    help: 'Phases that jobs have entered, by phase',
  },
  jobsEnded: {
    name: 'holdfast_jobs_ended',
    kind: 'counter',
    help: 'Jobs that have ended, by outcome: completed, rejected, cancelled, or the type of their failure',
  },
  jobWaits: {
    name: 'holdfast_job_waits',
    kind: 'counter',
    help: 'Waits that jobs have begun, by kind: review, step, outage',
  },
  jobWaitSeconds: {
    name: 'holdfast_job_wait_seconds',
    kind: 'histogram',
    help: 'How long jobs have waited, by kind',
    buckets: LONG_SECONDS,
  },
  jobCostUsd: {
    name: 'holdfast_job_cost_usd',
    kind: 'histogram',
    help: 'What jobs had cost when they ended',
    buckets: USD,
  },
  jobSavedUsd: {
    name: 'holdfast_job_saved_usd',
    kind: 'histogram',
    help: 'What pausing had saved jobs when they ended',
    buckets: USD,
  },
  sandboxLosses: {
    name: 'holdfast_sandbox_losses',
    kind: 'counter',
    help: 'Sandboxes that jobs have lost, by the type of the failure that proved it',
  },
  sandboxesAdopted: {
    name: 'holdfast_sandboxes_adopted',
    kind: 'counter',
    help: 'Sandboxes found after a create call whose reply was lost',
  },
  sandboxesReaped: {
    name: 'holdfast_sandboxes_reaped',
    kind: 'counter',
    help: 'Sandboxes that the reaper has killed',
  },
  activities: {
    name: 'holdfast_activities',
    kind: 'counter',
    help: 'Attempts of activities, by activity_type and outcome: ok, cancelled, or the type of the failure',
  },
  e2bCalls: {
    name: 'holdfast_e2b_calls',
    kind: 'counter',
    help: 'Calls of the E2B SDK, by call and outcome: ok, or the type of the failure',
  },
  e2bCallSeconds: {
    name: 'holdfast_e2b_call_seconds',
    kind: 'histogram',
    help: 'How long calls of the E2B SDK took, by call',
    buckets: SECONDS,
  },
} as const satisfies Record<string, Metric>

type NameOf<K extends Metric['kind']> = {
  [N in keyof typeof METRICS]: (typeof METRICS)[N]['kind'] extends K ? N : never
}[keyof typeof METRICS]
export type CounterName = NameOf<'counter'>
export type HistogramName = NameOf<'histogram'>
