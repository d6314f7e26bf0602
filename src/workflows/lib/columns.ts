import type { JobEventBody, WaitingFor } from '../../contract/job.ts'
import type { Columns } from '../../contract/search-attributes.ts'
import type { JobView } from './job-view.ts'

/** Each upsert is a billed action, so what isn't urgent waits this long (ms) and goes with the next. */
const MERGED_MS = 60_000

/** What the list shows of the job now. */
export function columnsOf(view: JobView): Columns {
  const { repo, branch, phase, waitingFor, sandbox, owner, ended, cost } = view
  return {
    repo: repo.url,
    branch,
    phase,
    waitingFor: waitingFor ? waitText(waitingFor) : 'nothing',
    sandboxId: sandbox.sandboxId ?? 'none',
    sandboxState: sandbox.state,
    owner: owner || 'none',
    outcome: ended ? (ended.failure?.type ?? ended.outcome) : 'open',
    reviewNeeded: waitingFor?.kind === 'review',
    costUsd: cost.usd,
  }
}

/** What costs go up by isn't worth an upsert of its own. */
export function changedColumns(before: Columns, now: Columns): Partial<Columns> {
  const changed = Object.entries(now).filter(([name, value]) => before[name as keyof Columns] !== value)
  return changed.every(([name]) => name === 'costUsd') ? {} : Object.fromEntries(changed)
}

/**
 * Whether an event is worth an upsert: the steps begin, a wait begins or is over, the job is done; else only what is
 * short of news for a while. What comes a moment before one of these goes with it.
 */
export function isNews(event: JobEventBody, since: { waitIsOver: boolean; ms: number }): boolean {
  const { type } = event
  if (type === 'reviewRequested' || type === 'outage' || type === 'outageOver') return true
  if (type === 'phase' && (event.phase === 'steps' || event.phase === 'done')) return true
  if (type === 'phase' && (event.phase === 'review' || event.phase === 'cleanUp')) return false
  return (type === 'phase' || type === 'stepStarted') && (since.waitIsOver || since.ms >= MERGED_MS)
}

function waitText(wait: WaitingFor): string {
  if (wait.kind === 'notification') return `notification ${wait.name}`
  if (wait.kind === 'outage') return `outage ${wait.failure.type}`
  return wait.kind
}
