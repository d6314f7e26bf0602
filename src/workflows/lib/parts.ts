import type { AgentJobSpec, Step } from '../../contract/spec.ts'
import { Display } from './display.ts'
import type { JobView } from './job-view.ts'
import { Ledger } from './ledger.ts'
import { SandboxLease } from './lease.ts'
import { MeasuredJournal } from './metrics.ts'
import type { JobRun, NextRun } from './next-run.ts'
import { Notifications } from './notifications.ts'
import { askable } from './place.ts'
import { ReviewDesk } from './review.ts'
import { TakenUpdates } from './taken-updates.ts'
import { Turns } from './turns.ts'
import { Waits } from './waits.ts'
import { Workspace } from './workspace.ts'

interface PartsOf {
  view: () => JobView
  nextRun: NextRun
  /** Of a later run: admitted. */
  spec: AgentJobSpec
}

/** What a job works with, in a later run as the earlier one left it. */
export function partsOf({ view, nextRun, spec }: PartsOf, earlier?: JobRun) {
  const display = new Display(view, earlier?.shown)
  const journal = new MeasuredJournal(display, earlier?.journal)
  const lease = new SandboxLease(
    (event) => journal.record(event),
    earlier && { state: earlier.lease, wish: spec.sandbox },
  )
  const workspace = new Workspace(journal, lease, earlier && { saved: earlier.workspace, spec })
  const notifications = new Notifications(earlier?.notifications)
  const waits = new Waits(journal, workspace, notifications)
  const taken = new TakenUpdates(earlier?.taken)
  const desk = new ReviewDesk(journal, taken)
  const ledger = new Ledger(lease, earlier?.ledger)
  const turns = new Turns(
    { journal, workspace, ledger, nextRun, taken },
    earlier && { state: earlier.turns, steps: askable(spec, earlier.place) },
  )
  const saved = (steps: Step[]) => ({
    journal: journal.saved,
    shown: display.saved,
    lease: lease.saved,
    workspace: workspace.saved,
    ledger: ledger.saved,
    turns: turns.saved(steps),
    notifications: notifications.saved,
    taken: taken.saved,
  })
  return { display, journal, lease, workspace, waits, desk, ledger, turns, nextRun, saved }
}
