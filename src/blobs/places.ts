import { keyWord } from './store.ts'

/** Which deployment of Holdfast, in which namespace of Temporal: workflow ids are unique only there. */
export interface Deployment {
  owner: string
  namespace: string
}

/** Where the blobs of a deployment are, a folder for each workflow id. */
export const deploymentFolder = ({ owner, namespace }: Deployment): string =>
  `workflows/${keyWord(owner)}/${keyWord(namespace)}/`

export const workflowFolder = (deployment: Deployment, workflowId: string): string =>
  `${deploymentFolder(deployment)}${keyWord(workflowId)}/`

/** Payloads of a workflow that are too large for its history. */
export const payloadsFolder = (deployment: Deployment, workflowId: string): string =>
  `${workflowFolder(deployment, workflowId)}payloads/`

/** What the commands of a workflow printed, a folder for each by its name. */
export const outputsFolder = (deployment: Deployment, workflowId: string): string =>
  `${workflowFolder(deployment, workflowId)}outputs/`
