import { join } from 'node:path'
import { workflowBundle } from '../runtime/workflow-bundle.ts'
import { findTemporal } from '../runtime/temporal/find-temporal.ts'
import { type Child, startChild } from './child.ts'
import { untilAborted } from './interrupt.ts'
import { openState } from './state.ts'

/** What runs: a Temporal server, a place for sandboxes, a worker. */
export interface Stack {
  temporal: { address: string; namespace: string; uiUrl: string | undefined; how: string }
  sandboxes: { how: string; apiUrl: string | undefined; isolation: string | undefined }
  /** Ends the worker first, then the sandbox server, then Temporal: only what this stack started. */
  stop(): Promise<void>
}

export interface StackOptions {
  /** Folder for everything that is kept. */
  state: string
  env: NodeJS.ProcessEnv
  taskQueue: string
  /** Ports of this machine that sandboxes may reach, such as a git host's. */
  allowHostPorts?: number[]
  /** Secrets by name, for the worker. */
  secrets?: Record<string, string>
  onProgress: (line: string) => void
  /** Gives up the start where it is aborted; a stack that is up stays so until `stop`. */
  signal: AbortSignal
}

/** How often a worker that ends by itself is started again before the stack gives up. */
const MAX_RESTARTS = 5

/** Starts the stack, or what of it isn't running elsewhere by configuration. @throws Error saying what to do */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { env, onProgress } = options
  const state = await openState(options.state)
  const stops: (() => Promise<void>)[] = [() => state.release()]
  const stop = async (): Promise<void> => {
    for (const end of stops.splice(0).toReversed()) await end()
  }
  try {
    const temporalServer = findTemporal({ env, onProgress, stateFolder: state.path }).then((server) => {
      stops.push(() => server.stop())
      return server
    })
    const sandboxServer = startSandboxes(options, state).then((server) => {
      stops.push(() => server.stop())
      return server
    })
    // All are waited for even where one fails, so that nothing starts after the clean-up; but a person who gives up
    // does not wait for minutes of building.
    await Promise.race([
      Promise.allSettled([temporalServer, sandboxServer, workflowBundle()]),
      untilAborted(options.signal),
    ])
    options.signal.throwIfAborted()
    const [temporal, sandboxes] = [await temporalServer, await sandboxServer]
    const workerEnv = {
      ...env,
      ...sandboxes.env,
      ...(temporal.kind === 'embedded' && {
        TEMPORAL_ADDRESS: temporal.address,
        TEMPORAL_NAMESPACE: temporal.namespace,
      }),
      ...Object.fromEntries(
        Object.entries(options.secrets ?? {}).map(([name, value]) => [`HOLDFAST_SECRET_${name}`, value]),
      ),
      HOLDFAST_TASK_QUEUE: options.taskQueue,
      HOLDFAST_HEARTBEAT_MS: env.HOLDFAST_HEARTBEAT_MS ?? '500',
    }
    const worker = await keepRunning(
      () =>
        startChild({
          name: 'the worker',
          program: 'cli.ts',
          args: ['worker', '--json'],
          env: workerEnv,
          logFile: join(state.logs, 'worker.log'),
          signal: options.signal,
        }),
      onProgress,
    )
    stops.push(() => worker.stop())
    const { address, namespace, uiUrl, how } = temporal
    return { temporal: { address, namespace, uiUrl, how }, sandboxes: sandboxes.about, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

interface Sandboxes {
  about: Stack['sandboxes']
  env: NodeJS.ProcessEnv
  stop: () => Promise<void>
}

/** E2B where it is configured, as a cloud or by address; otherwise the local server. */
async function startSandboxes(
  options: StackOptions,
  state: Awaited<ReturnType<typeof openState>>,
): Promise<Sandboxes> {
  const { env } = options
  if (env.E2B_API_KEY || env.E2B_API_URL || env.E2B_DOMAIN) {
    const apiUrl = env.E2B_API_URL ?? (env.E2B_DOMAIN ? `https://api.${env.E2B_DOMAIN}` : undefined)
    const how = apiUrl ? `E2B at ${apiUrl} (from the environment)` : 'the E2B cloud (E2B_API_KEY is set)'
    return { about: { how, apiUrl, isolation: undefined }, env: {}, stop: () => Promise.resolve() }
  }
  const allowed = (options.allowHostPorts ?? []).flatMap((port) => [
    '--allow-host-loopback',
    `127.0.0.1:${port}`,
  ])
  const child = await startChild({
    name: 'the local sandbox server',
    program: 'local-sandbox/main.ts',
    args: ['--port', '0', '--json', '--data-dir', state.sandboxes, ...allowed],
    env,
    logFile: join(state.logs, 'sandbox-server.log'),
    signal: options.signal,
  })
  const { apiUrl, sandboxUrl, apiKey, isolation } = JSON.parse(child.ready) as Record<string, string>
  return {
    about: { how: `the local sandbox server (${isolation})`, apiUrl, isolation },
    env: { E2B_API_URL: apiUrl, E2B_SANDBOX_URL: sandboxUrl, E2B_API_KEY: apiKey },
    stop: () => child.stop(),
  }
}

/** Starts a child again when it ends by itself: its work is durable, so it goes on where it was. */
async function keepRunning(
  start: () => Promise<Child>,
  onProgress: (line: string) => void,
): Promise<{ stop(): Promise<void> }> {
  let child = await start()
  let stopping = false
  const watch = async (): Promise<void> => {
    for (let restarts = 0; restarts < MAX_RESTARTS; restarts++) {
      await child.ended
      if (stopping) return
      onProgress('the worker ended by itself; starting another one')
      child = await start()
    }
    onProgress(`the worker ended ${MAX_RESTARTS} times; it isn't started again: look at its log`)
  }
  const watching = watch().catch((error: Error) => onProgress(error.message))
  return {
    stop: async () => {
      stopping = true
      await child.stop()
      await watching
    },
  }
}
