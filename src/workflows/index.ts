export { agentJob } from './agent-job.ts'
export { sandboxReaper } from './sandbox-reaper.ts'
export { sandboxSession } from './sandbox-session.ts'
