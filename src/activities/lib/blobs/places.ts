import type { ActivityDeps } from '../deps.ts'
import { executionOf } from '../execution.ts'
import { keyWord } from './store.ts'

/** Where the blobs of this deployment are, a folder for each workflow id. */
export const deploymentFolder = ({ owner, namespace }: Pick<ActivityDeps, 'owner' | 'namespace'>): string =>
  `workflows/${keyWord(owner)}/${keyWord(namespace)}/`

/** What belongs to this run of the workflow only: checkpoints. */
export const runFolder = (deps: ActivityDeps): string => `${workflowFolder(deps)}${executionOf().runId}/`

/** What its runs share: pictures that code made. */
export const artifactsFolder = (deps: ActivityDeps): string => `${workflowFolder(deps)}artifacts/`

const workflowFolder = (deps: ActivityDeps): string =>
  `${deploymentFolder(deps)}${keyWord(executionOf().workflowId)}/`
