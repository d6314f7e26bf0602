import { Context } from '@temporalio/activity'

/** The run of the workflow that this activity belongs to. */
export function executionOf(): { workflowId: string; runId: string } {
  const { workflowExecution } = Context.current().info
  if (!workflowExecution) throw new Error('this activity belongs to a workflow')
  return workflowExecution
}
