import type { WorkflowInternalsInterceptor, WorkflowInterceptors } from '@temporalio/workflow'
import { ASK_AGAIN } from '../../contract/messages.ts'

type Activation = Parameters<NonNullable<WorkflowInternalsInterceptor['activate']>>[0]['activation']
type Job = NonNullable<Activation['jobs']>[number]
type Command = Parameters<
  NonNullable<WorkflowInternalsInterceptor['concludeActivation']>
>[0]['commands'][number]

/**
 * Fails the workflow task where the cached workflow is ahead of its history, and a query that would take it there: the SDK then forgets
 * it, and Temporal gives the task again, with the whole history.
 */
export function keepingToHistory(): WorkflowInterceptors {
  let last: Progress | undefined
  let place: Place | undefined
  let queried = false
  return {
    internals: [
      {
        activate(input, next) {
          const { timestamp, isReplaying } = input.activation
          const historyLength = input.activation.historyLength ?? 0
          const jobs = input.activation.jobs ?? []
          if (jobs.some(({ queryWorkflow }) => queryWorkflow)) queried = true
          else {
            const here = { historyLength, time: `${Number(timestamp?.seconds)} ${timestamp?.nanos}` }
            if (!isReplaying && isWithoutTask(place, here)) throw new Error(ASK_AGAIN)
            place = here
            if (queried && last && isAheadOfHistory(last, { historyLength, jobs }))
              throw new Error('a query took the cached workflow ahead of its history; it is replayed')
            queried = false
            if (isReplaying) last = undefined
            else if (last?.historyLength !== historyLength) last = { historyLength, commandEvents: 0 }
          }
          next(input)
        },
        concludeActivation(input, next) {
          const output = next(input)
          if (last && !queried) last.commandEvents += eventsOfCommands(output.commands)
          return output
        },
      },
    ],
  }
}

/** Where in its history the workflow is, and its time there, which is when its workflow task was started. */
export interface Place {
  historyLength: number
  time: string
}

/**
 * Whether events are given to the workflow before Temporal has started a task for them.
 *
 * That is so where a query finds them at the end of the history, with their task waiting for a worker that is gone. The SDK gives
 * them to the workflow, and completes their task later with what that did. But it did so at the time of the task before, while any
 * replay will do it at the time of their own, and may decide otherwise.
 */
export const isWithoutTask = (before: Place | undefined, here: Place): boolean =>
  here.time === before?.time && here.historyLength > before.historyLength

/** How far the workflow has come outside of a replay. */
export interface Progress {
  /** Length of the history, in events, up to the start of the workflow task. */
  historyLength: number
  /** The fewest events that the commands of the task leave in the history once Temporal has it. */
  commandEvents: number
}

/**
 * Whether Temporal never got the task that the cached workflow last worked on.
 *
 * Where the worker that has a workflow task is gone, a query goes to another one, with a history that ends in the start of that task.
 * The SDK replays it to the end, past what Temporal has committed, to answer; and goes on from there with the next task, whose history has
 * other events first. What the workflow has then seen, and in which order, no replay of the history can see again: its tasks would fail
 * for good. A history in which the commands of the last task have no room tells it.
 */
export function isAheadOfHistory(
  last: Progress,
  next: { historyLength: number; jobs: readonly Job[] },
): boolean {
  if (last.commandEvents === 0) return false
  // The end of the last task, and that the next one was scheduled and started.
  const taskEvents = 3
  return next.historyLength - last.historyLength < taskEvents + last.commandEvents + eventsOfJobs(next.jobs)
}

/** The fewest events that these jobs come from. An activity that has completed had started too. */
const eventsOfJobs = (jobs: readonly Job[]): number =>
  jobs.reduce(
    (events, { signalWorkflow, fireTimer, resolveActivity: activity }) =>
      events + (activity?.result?.completed ? 2 : signalWorkflow || fireTimer || activity ? 1 : 0),
    0,
  )

/** The fewest events that these commands become. A timer or an activity that is taken back at once becomes none. */
export function eventsOfCommands(commands: readonly Command[]): number {
  const takenBack = new Set(
    commands.flatMap(({ cancelTimer, requestCancelActivity }) => [
      ...(cancelTimer ? [`timer ${cancelTimer.seq}`] : []),
      ...(requestCancelActivity ? [`activity ${requestCancelActivity.seq}`] : []),
    ]),
  )
  return commands.filter(
    ({ startTimer, scheduleActivity, upsertWorkflowSearchAttributes, modifyWorkflowProperties }) =>
      (startTimer && !takenBack.has(`timer ${startTimer.seq}`)) ||
      (scheduleActivity && !takenBack.has(`activity ${scheduleActivity.seq}`)) ||
      upsertWorkflowSearchAttributes ||
      modifyWorkflowProperties,
  ).length
}
