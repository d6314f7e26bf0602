import type { FailureReport } from '../../contract/failures.ts'
import type { DiffSummary, JobResult, JobStatus } from '../../contract/job.ts'

/** All that people see of a job: its page and its columns in the Temporal UI are pure functions of it. */
export interface JobView extends JobStatus {
  repo: { url: string; base: string }
  owner: string
  diff: Omit<DiffSummary, 'text' | 'truncated'> | null
  /** When the sandbox took on its state, in ms since the epoch. */
  sandboxSince: number
  lastOutput: { step: string; text: string } | null
  /** Why the last answer by signal was refused. */
  refused: string | null
  /** How the job ended. */
  ended: { outcome: JobResult['outcome'] | 'failed' | 'cancelled'; failure?: FailureReport } | null
}
