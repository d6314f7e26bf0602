import type { Client, WorkflowHandle } from '@temporalio/client'

type Event = NonNullable<Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']>[number]

/** The events of one operation, in one run of the session: behind `from`, up to `to`. */
export interface Range {
  name: string
  runId: string
  from: number
  to: number
}

interface Costs {
  events: number[]
  /** What Temporal Cloud bills: an update, an activity, a timer, a signal, a child workflow are one each. */
  actions: number[]
  /** From the start to the end of the activity on the worker, in ms. */
  activityMs: number[]
}

const time = (at: { seconds?: unknown; nanos?: number | null } | null | undefined): number =>
  Number(at?.seconds ?? 0) * 1_000 + (at?.nanos ?? 0) / 1e6

/** What an operation, each time it was asked for, has left in the session's histories. */
export async function readCosts(client: Client, id: string, ranges: Range[]): Promise<Record<string, Costs>> {
  const histories = new Map<string, Event[]>()
  const all: Record<string, Costs> = {}
  for (const { name, runId, from, to } of ranges) {
    const history =
      histories.get(runId) ?? (await client.workflow.getHandle(id, runId).fetchHistory()).events ?? []
    histories.set(runId, history)
    const events = history.slice(from, to)
    const costs = (all[name] ??= { events: [], actions: [], activityMs: [] })
    costs.events.push(events.length)
    costs.actions.push(events.filter(isAction).length)
    const begun = events.find((event) => event.activityTaskStartedEventAttributes)
    const ended = events.find((event) => event.activityTaskCompletedEventAttributes)
    costs.activityMs.push(time(ended?.eventTime) - time(begun?.eventTime))
  }
  return all
}

const isAction = (event: Event): boolean =>
  Boolean(
    event.workflowExecutionUpdateAcceptedEventAttributes ??
    event.activityTaskScheduledEventAttributes ??
    event.timerStartedEventAttributes ??
    event.workflowExecutionSignaledEventAttributes ??
    event.startChildWorkflowExecutionInitiatedEventAttributes,
  )
