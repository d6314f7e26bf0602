import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow'
import type { DiffSummary, EventPage, JobStatus } from './job.ts'
import type { Step } from './spec.ts'

/** The reviewer's three answers. Each is accepted only while the job waits for a review. */
export const approveUpdate = defineUpdate<void, [{ by: string; comment?: string }]>('approve')
export const rejectUpdate = defineUpdate<void, [{ by: string; reason?: string }]>('reject')
export const requestChangesUpdate = defineUpdate<void, [{ by: string; feedback: string; steps?: Step[] }]>(
  'requestChanges',
)

/** The same without a reply; what is wrong with one is said on the job's page. */
export const approveSignal = defineSignal<[{ by: string; comment?: string }]>('approve')
export const rejectSignal = defineSignal<[{ by: string; reason?: string }]>('reject')
export const requestChangesSignal =
  defineSignal<[{ by: string; feedback: string; steps?: Step[] }]>('requestChanges')

/** A person's word on a call of a tool: on the one that the job waits for, by its hash. */
export const allowToolUpdate = defineUpdate<void, [{ by: string; call: string }]>('allowTool')
export const denyToolUpdate = defineUpdate<void, [{ by: string; call: string; reason?: string }]>('denyTool')

/** Tells the job that something has happened outside; it is kept until a `waitFor` step takes it. */
export const notifySignal = defineSignal<[{ name: string }]>('notify')

/** What a query is told where an answer would do the workflow harm. */
export const ASK_AGAIN = 'the workflow is on its way from one worker to another; ask again'

export const statusQuery = defineQuery<JobStatus>('status')
export const diffQuery = defineQuery<DiffSummary | null>('diff')
export const eventsQuery = defineQuery<EventPage, [from?: number]>('events')
