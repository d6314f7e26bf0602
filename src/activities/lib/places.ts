import { outputsFolder, workflowFolder } from '../../blobs/places.ts'
import { keyWord } from '../../blobs/store.ts'
import type { ActivityDeps } from './deps.ts'
import { executionOf } from './execution.ts'

/**
 * What belongs to one job of that workflow id only: checkpoints.
 *
 * @param firstRunId of the job; left out by workers of an earlier version, whose jobs have one run
 */
export const jobFolder = (deps: ActivityDeps, firstRunId = executionOf().runId): string =>
  `${workflowFolder(deps, executionOf().workflowId)}${firstRunId}/`

/** What its runs share: pictures that code made. */
export const artifactsFolder = (deps: ActivityDeps): string =>
  `${workflowFolder(deps, executionOf().workflowId)}artifacts/`

/** What a command printed, by the name that the workflow gave to its output. */
export const outputFolder = (deps: ActivityDeps, name: string): string =>
  `${outputsFolder(deps, executionOf().workflowId)}${keyWord(name)}/`

/** What a model and the job said to each other, by the name that the workflow gave to it. */
export const transcriptFolder = (deps: ActivityDeps, name: string): string =>
  `${workflowFolder(deps, executionOf().workflowId)}transcripts/${keyWord(name)}/`
