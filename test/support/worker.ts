import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** What a worker of a measured or tried world is told of it; `folder` is for its blobs. */
export const workerEnv = ({
  address,
  taskQueue,
  folder,
  git,
  sandboxes,
}: WorkersWorld): NodeJS.ProcessEnv => ({
  ...process.env,
  TEMPORAL_ADDRESS: address,
  HOLDFAST_TASK_QUEUE: taskQueue,
  HOLDFAST_LOG_LEVEL: 'warn',
  HOLDFAST_BLOB_STORE: pathToFileURL(join(folder, 'blobs')).href,
  HOLDFAST_SECRET_GIT_TOKEN: git.token,
  E2B_API_KEY: sandboxes.apiKey,
  E2B_API_URL: sandboxes.apiUrl,
  E2B_SANDBOX_URL: sandboxes.sandboxUrl,
})

interface WorkersWorld {
  address: string
  taskQueue: string
  folder: string
  git: { token: string }
  sandboxes: { apiKey: string; apiUrl: string; sandboxUrl: string }
}

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Starts a worker as a process of its own; resolves once it polls.
 *
 * @param stderr a file descriptor for its log, or `pipe` for `onLog`
 */
export async function startWorkerProcess(
  env: NodeJS.ProcessEnv,
  stderr: number | 'pipe' | 'inherit' = 'inherit',
  onLog?: (text: string) => void,
): Promise<ChildProcess> {
  const worker = spawn(process.execPath, ['bin/holdfast.mjs', 'worker', '--json'], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', stderr],
  })
  if (onLog) worker.stderr?.setEncoding('utf8').on('data', onLog)
  await Promise.race([
    once(createInterface({ input: worker.stdout! }), 'line'),
    once(worker, 'exit').then(([code]) => Promise.reject(new Error(`the worker ended with ${code}`))),
  ])
  return worker
}

/** Ends a process by signal and waits for it. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill(signal)
  await once(child, 'exit')
}
