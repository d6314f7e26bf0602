export { agentJob, agentJob as agentJobContinued } from './agent-job.ts'
export { sandboxReaper } from './sandbox-reaper.ts'
export { sandboxSession } from './sandbox-session.ts'
