import type {
  ActivityInput,
  Next,
  TimerInput,
  WorkflowInterceptors,
  WorkflowOutboundCallsInterceptor,
} from '@temporalio/workflow'
import type { Actions } from '../../contract/cost.ts'

/** Each run of the workflow has modules of its own. */
const counted = { starts: 1, activities: 0, timers: 0, signals: 0, updates: 0, childWorkflows: 0, upserts: 0 }
/** When the activities that run now began, and the time of those that have ended. */
const running = new Set<{ since: number }>()
let endedMs = 0

/** What earlier runs of the workflow have asked of Temporal counts too. */
export function countOn({ activityMs, ...earlier }: Actions): void {
  for (const name of Object.keys(counted) as (keyof typeof counted)[]) counted[name] += earlier[name]
  endedMs += activityMs
}

/** What the workflow has asked of Temporal so far. */
export function actionsSoFar(): Actions {
  const now = Date.now()
  return { ...counted, activityMs: [...running].reduce((sum, { since }) => sum + now - since, endedMs) }
}

/** No interceptor sees these. */
export const countUpsert = (): void => void counted.upserts++

/** Counts what goes in and out. */
export const counting = (): WorkflowInterceptors => ({
  inbound: [
    {
      handleSignal: (input, next) => {
        counted.signals++
        return next(input)
      },
      handleUpdate: (input, next) => {
        counted.updates++
        return next(input)
      },
    },
  ],
  outbound: [
    {
      scheduleActivity: timed,
      startTimer: (input: TimerInput, next: Next<WorkflowOutboundCallsInterceptor, 'startTimer'>) => {
        counted.timers++
        return next(input)
      },
      startChildWorkflowExecution: (input, next) => {
        counted.childWorkflows++
        return next(input)
      },
    },
  ],
})

async function timed(
  input: ActivityInput,
  next: Next<WorkflowOutboundCallsInterceptor, 'scheduleActivity'>,
): Promise<unknown> {
  counted.activities++
  const activity = { since: Date.now() }
  running.add(activity)
  try {
    return await next(input)
  } finally {
    running.delete(activity)
    endedMs += Date.now() - activity.since
  }
}
