import { Context } from '@temporalio/activity'
import type { ActivityDeps } from '../deps.ts'
import { keyWord } from './store.ts'

/** Where the blobs of this deployment are, a folder for each workflow id. */
export const deploymentFolder = ({ owner, namespace }: Pick<ActivityDeps, 'owner' | 'namespace'>): string =>
  `workflows/${keyWord(owner)}/${keyWord(namespace)}/`

/** What belongs to this run of the workflow only: checkpoints. */
export const runFolder = (deps: ActivityDeps): string => `${workflowFolder(deps)}${execution().runId}/`

/** What its runs share: pictures that code made. */
export const artifactsFolder = (deps: ActivityDeps): string => `${workflowFolder(deps)}artifacts/`

const workflowFolder = (deps: ActivityDeps): string =>
  `${deploymentFolder(deps)}${keyWord(execution().workflowId)}/`

function execution(): { workflowId: string; runId: string } {
  const { workflowExecution } = Context.current().info
  if (!workflowExecution) throw new Error('blobs belong to activities of a workflow')
  return workflowExecution
}
