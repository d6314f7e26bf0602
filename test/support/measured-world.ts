import type { ChildProcess } from 'node:child_process'
import { steadyPort } from './steady-port.ts'
import { eventOf, type Holdfast, startHoldfast } from './holdfast.ts'

export interface MeasuredWorld {
  holdfast: Holdfast
  worker: ChildProcess
  metricsUrl: string
  /** The job that was done. */
  jobId: string
}

/**
 * A worker that has done, once each, what its metrics tell of: a job, a review, a lost sandbox, a reaper's round.
 *
 * @param log a file descriptor for the worker's log
 */
export async function measuredWorld(env: NodeJS.ProcessEnv = {}, log?: number): Promise<MeasuredWorld> {
  // Of what git says of a rejected push: its words are in the sandbox as git said them.
  const holdfast = await startHoldfast({ forgetKilled: true })
  const port = await steadyPort()
  const worker = await holdfast.startWorker({ ...env, HOLDFAST_METRICS_PORT: String(port) }, log)
  const job = await holdfast.jobs.submit(
    await holdfast.spec({ review: { required: true }, steps: [{ write: 'made', content: 'x' }] }),
  )
  await eventOf(job, 'reviewRequested')
  for (const sandbox of await holdfast.connectSandboxes(job.id)) await sandbox.kill()
  await job.approve({ by: 'the test' })
  await job.result()
  await holdfast.jobs.sandboxes({ reap: true })
  return { holdfast, worker, metricsUrl: `http://127.0.0.1:${port}/metrics`, jobId: job.id }
}
