import type { WorkflowInterceptors } from '@temporalio/workflow'

/** Of this run of the workflow: each run has modules of its own. */
let sandboxId: string | null = null

/** From now on the workflow's log lines name this sandbox. */
export function logSandbox(id: string): void {
  sandboxId = id
}

/** Names the sandbox in every line; Temporal names the workflow. */
export const logging = (): WorkflowInterceptors => ({
  outbound: [{ getLogAttributes: (input, next) => next({ ...input, ...(sandboxId && { sandboxId }) }) }],
})
