import {
  allHandlersFinished,
  CancellationScope,
  condition,
  makeContinueAsNewFunc,
  patched,
  workflowInfo,
} from '@temporalio/workflow'
import { type DiffSummary, SUBMITTED_AT_MEMO, WORKFLOW_TYPES } from '../../contract/job.ts'
import type { LeaseState } from '../../contract/session.ts'
import type { AgentJobSpec } from '../../contract/spec.ts'
import type { agentJob } from '../agent-job.ts'
import type { Shown } from './display.ts'
import type { JournalState } from './journal.ts'
import type { LedgerState } from './ledger.ts'
import type { Place } from './place.ts'
import type { TurnsState } from './turns.ts'
import type { SavedWorkspace } from './workspace.ts'

/** What one run of a job leaves to the next. */
export interface JobRun {
  owner: string
  /** Left out by runs of an earlier version. */
  trailer?: string
  diff: DiffSummary | null
  place: Place
  journal: JournalState
  shown: Shown
  lease: LeaseState
  workspace: SavedWorkspace
  ledger: LedgerState
  turns: TurnsState
  notifications: string[]
  /** Ids of updates that were taken. */
  taken: string[]
}

/** Ends this run of the job where its history has grown long; the next one goes on from there. */
export class NextRun {
  readonly #leave: () => [AgentJobSpec, JobRun]

  constructor(leave: () => [AgentJobSpec, JobRun]) {
    this.#leave = leave
  }

  /**
   * Asked where nothing is under way in the sandbox or of a model's, as a command of this run can't be attached to in the next one.
   *
   * @throws ContinueAsNew
   */
  async ifDue(): Promise<void> {
    const { continueAsNewSuggested, startTime, memo } = workflowInfo()
    if (!continueAsNewSuggested || CancellationScope.current().consideredCancelled) return
    if (!patched('a long job goes on in a next run')) return
    // What a person has sent is answered by the run that has it.
    await condition(allHandlersFinished)
    // A memo given here replaces the one there is.
    const kept = { [SUBMITTED_AT_MEMO]: startTime.getTime(), ...memo }
    const workflowType = WORKFLOW_TYPES.agentJobContinued
    await makeContinueAsNewFunc<typeof agentJob>({ workflowType, memo: kept })(...this.#leave())
  }
}
