import { accountOperations } from './account.ts'
import { batchActivities } from './batch.ts'
import { codeOperations } from './code.ts'
import { commandOperations } from './commands.ts'
import { fileOperations } from './files.ts'
import { gitOperations } from './git.ts'
import { agentActivities } from './job/agents.ts'
import { admissionActivities } from './job/admission.ts'
import { checkpointActivities } from './job/checkpoints.ts'
import { commandActivities } from './job/commands.ts'
import { modelActivities } from './job/models.ts'
import { toolActivities } from './job/tools.ts'
import { fileActivities } from './job/files.ts'
import { gitActivities } from './job/git.ts'
import { guardActivities } from './job/guards.ts'
import type { ActivityDeps } from './lib/deps.ts'
import { asActivities } from './lib/operation.ts'
import { lifecycleActivities } from './lifecycle.ts'
import { networkOperations } from './network.ts'
import { reaperActivities } from './reaper.ts'
import { sessionActivities } from './sessions.ts'
import { sandboxOperations } from './sandbox.ts'

/** Every activity of Holdfast, for a worker: the operations by E2B's names, and what a job is made of. */
export const createActivities = (deps: ActivityDeps) => {
  const operations = asActivities(deps, {
    ...sandboxOperations,
    ...commandOperations,
    ...fileOperations,
    ...gitOperations,
    ...codeOperations,
    ...networkOperations,
    ...accountOperations,
  })
  return { ...operations, ...batchActivities(deps, operations), ...others(deps) }
}

const others = (deps: ActivityDeps) => ({
  ...lifecycleActivities(deps),
  ...admissionActivities(deps),
  ...commandActivities(deps),
  ...fileActivities(deps),
  ...gitActivities(deps),
  ...guardActivities(deps),
  ...agentActivities(deps),
  ...modelActivities(deps),
  ...toolActivities(deps),
  ...checkpointActivities(deps),
  ...sessionActivities(deps),
  ...reaperActivities(deps),
})

export type Activities = ReturnType<typeof createActivities>
