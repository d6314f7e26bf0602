/** Holdfast's door for authors of workflows: E2B's operations as durable activities, and sessions to attach to. */
export {
  attachSession,
  connectSandbox,
  createSandbox,
  listSandboxes,
  performOnAccount,
  type CreateOptions,
  type Sandbox,
} from './workflows/sandbox.ts'
export type * from './contract/operations/results.ts'
export type { SessionReference } from './contract/session.ts'
