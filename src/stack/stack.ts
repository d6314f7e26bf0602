import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { workflowBundle } from '../runtime/workflow-bundle.ts'
import { type Child, startChild } from './child.ts'
import { untilAborted } from './interrupt.ts'
import { type Kept, keepRunning } from './keep-running.ts'
import { type Sandboxes, startSandboxes } from './sandboxes.ts'
import type { StateFolder } from './state.ts'
import { startTemporal, type Temporal } from './temporal.ts'

/** What runs: a Temporal server, a place for sandboxes, a worker. */
export interface Stack {
  temporal: Temporal['about']
  sandboxes: Sandboxes['about']
  /** The worker's first process; another one comes where that ends by itself. */
  worker: { pid: number; taskQueue: string; metricsUrl: string; tracesUrl: string | undefined }
  /** Where checkpoints and outputs are kept. */
  blobStore: string
  /** Folder of a log for each part that was started here. */
  logs: string
  /** Resolves, never rejects, when a part can't be kept running. */
  broken: Promise<Error>
  /** Ends the worker first, then the sandbox server, then Temporal: only what this stack started. */
  stop(): Promise<void>
}

export interface StackOptions {
  /** For everything that is kept. Its owner releases it, when the stack has stopped. */
  state: StateFolder
  env: NodeJS.ProcessEnv
  taskQueue: string
  /** For an embedded Temporal server, where they are free; 7233 and 8233 if left out. */
  preferredPorts?: { port: number; uiPort: number }
  /** Ports of this machine that sandboxes may reach, such as a git host's. */
  allowHostPorts?: number[]
  /** Secrets by name, for the worker. */
  secrets?: Record<string, string>
  onProgress: (line: string) => void
  /** Gives up the start where it is aborted; a stack that is up stays so until `stop`. */
  signal: AbortSignal
}

/**
 * Starts the stack, or what of it isn't running elsewhere by configuration.
 *
 * @throws StackError saying what to do; the signal's reason where that aborts first
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { state, env, onProgress, signal, preferredPorts, allowHostPorts = [] } = options
  const starting = {
    temporal: startTemporal({ env, stateFolder: state.path, preferredPorts, onProgress, signal }),
    sandboxes: startSandboxes({ env, state, allowHostPorts, onProgress, signal }),
  }
  let worker: Kept<Child> | undefined
  const stop = async (): Promise<void> => {
    await worker?.stop()
    await stopStarted(starting.sandboxes)
    await stopStarted(starting.temporal)
  }
  try {
    // All are waited for even where one fails, so that nothing starts after the clean-up; but a person who gives up
    // does not wait for minutes of building.
    await Promise.race([
      Promise.allSettled([starting.temporal, starting.sandboxes, workflowBundle()]),
      untilAborted(signal),
    ])
    signal.throwIfAborted()
    const [temporal, sandboxes] = [await starting.temporal, await starting.sandboxes]
    const blobStore = env.HOLDFAST_BLOB_STORE ?? pathToFileURL(join(state.path, 'blobs')).href
    const partsEnv = { ...sandboxes.env, ...temporal.env, HOLDFAST_BLOB_STORE: blobStore }
    worker = await startWorker(options, partsEnv, temporal)
    const kept = [worker, sandboxes, temporal]
    return {
      temporal: temporal.about,
      sandboxes: sandboxes.about,
      worker: {
        pid: worker.first.pid,
        taskQueue: options.taskQueue,
        metricsUrl: metricsUrlOf(worker.first.ready),
        tracesUrl: worker.first.ready.tracesUrl as string | undefined,
      },
      blobStore,
      logs: state.logs,
      broken: Promise.race(kept.flatMap(({ givenUp }) => givenUp ?? [])),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function startWorker(
  { state, env, secrets = {}, taskQueue, onProgress, signal }: StackOptions,
  partsEnv: NodeJS.ProcessEnv,
  temporal: Temporal,
): Promise<Kept<Child>> {
  const secretEnv = Object.entries(secrets).map(([name, value]) => [`HOLDFAST_SECRET_${name}`, value])
  return keepRunning({
    name: 'the worker',
    onProgress,
    signal,
    start: async (signal, last) => {
      // The two may have ended together.
      if (last) await temporal.untilAnswering(signal)
      return startChild({
        name: 'the worker',
        program: 'src/cli.ts',
        args: ['worker', '--json'],
        env: {
          ...env,
          ...partsEnv,
          ...Object.fromEntries(secretEnv),
          HOLDFAST_TASK_QUEUE: taskQueue,
          // Prometheus knows it by its port: another one takes the same.
          HOLDFAST_METRICS_PORT:
            env.HOLDFAST_METRICS_PORT ?? (last ? new URL(metricsUrlOf(last.ready)).port : '0'),
          HOLDFAST_HEARTBEAT_MS: env.HOLDFAST_HEARTBEAT_MS ?? '500',
        },
        logFile: join(state.logs, 'worker.log'),
        signal,
      })
    },
  })
}

const metricsUrlOf = ({ metricsUrl }: Record<string, unknown>): string => String(metricsUrl)

/** Stops what was started; what failed has nothing to stop. */
const stopStarted = (starting: Promise<{ stop(): Promise<void> }>): Promise<void> =>
  starting.then(
    (started) => started.stop(),
    () => undefined,
  )
