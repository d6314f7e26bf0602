import { admissionActivities } from './admission.ts'
import { checkpointActivities } from './checkpoints.ts'
import { commandActivities } from './commands.ts'
import { fileActivities } from './files.ts'
import { gitActivities } from './git.ts'
import type { ActivityDeps } from './lib/deps.ts'
import { reaperActivities } from './reaper.ts'
import { sandboxActivities } from './sandbox.ts'

/** Every activity of Holdfast, for a worker. */
export const createActivities = (deps: ActivityDeps) => ({
  ...admissionActivities(deps),
  ...sandboxActivities(deps),
  ...commandActivities(deps),
  ...fileActivities(deps),
  ...gitActivities(deps),
  ...checkpointActivities(deps),
  ...reaperActivities(deps),
})

export type Activities = ReturnType<typeof createActivities>
