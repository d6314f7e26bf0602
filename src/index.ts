/** Holdfast's public door: what a backend needs to submit, watch and steer jobs. */
export { connect, type ConnectOptions } from './client/connect.ts'
export { HoldfastError } from './client/errors.ts'
export type { EventPlace, LiveAgentEvent } from './client/agent-events.ts'
export type { EventOptions, Job, StepOutput } from './client/job.ts'
export type { Jobs, JobSummary } from './client/jobs.ts'
export type { FollowOutput } from './client/outputs.ts'
export type { LiveOptions, RunCodeOptions, RunOptions, Session } from './client/session.ts'
export type { Sessions, SessionSummary } from './client/sessions.ts'
export { FAILURES, type FailureReport, type FailureType } from './contract/failures.ts'
export type {
  CommandHeartbeat,
  DiffSummary,
  JobEvent,
  JobResult,
  JobStatus,
  Phase,
  Review,
} from './contract/job.ts'
export type { Cost } from './contract/cost.ts'
export type { OutputChunk, OutputPlace, OutputStream } from './contract/output.ts'
export type { Fate, OwnerStatus, ReaperReport, SandboxRow } from './contract/sandboxes.ts'
export { describeProblems, parse, type FieldProblem } from './contract/parse.ts'
export type { AgentEvent } from './contract/agents/agent.ts'
export { agentJobJsonSchema, agentJobSpec, type AgentJobInput, type AgentJobSpec } from './contract/spec.ts'
export { secret } from './contract/fields.ts'
