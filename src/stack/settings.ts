import { DEFAULT_TASK_QUEUE } from '../contract/job.ts'
import { DEFAULT_PORTS } from '../runtime/temporal/embedded.ts'
import type { StackOptions } from './stack.ts'

/** What `holdfast up` is given on the command line. */
export interface UpOptions {
  state?: string
  taskQueue?: string
  port?: number
  uiPort?: number
  allowHostPorts?: number[]
}

/** The stack's settings: command line > environment > default. */
export function upSettings(
  { state, taskQueue, port, uiPort, allowHostPorts = [] }: UpOptions,
  env: NodeJS.ProcessEnv = process.env,
): { state: string } & Pick<StackOptions, 'env' | 'taskQueue' | 'preferredPorts' | 'allowHostPorts'> {
  return {
    env,
    state: state || env.HOLDFAST_STATE || '.holdfast',
    taskQueue: taskQueue || env.HOLDFAST_TASK_QUEUE || DEFAULT_TASK_QUEUE,
    preferredPorts: { port: port ?? DEFAULT_PORTS.port, uiPort: uiPort ?? DEFAULT_PORTS.uiPort },
    allowHostPorts,
  }
}
