import { freePort } from '../../src/runtime/temporal/ports.ts'
import { eventOf, type Holdfast, startHoldfast } from './holdfast.ts'

/** A worker that has done, once each, what its metrics tell of: a job, a review, a lost sandbox, a reaper's round. */
export async function measuredWorld(): Promise<{ holdfast: Holdfast; port: number }> {
  const holdfast = await startHoldfast()
  const port = await freePort()
  await holdfast.startWorker({ HOLDFAST_METRICS_PORT: String(port) })
  const job = await holdfast.jobs.submit(
    await holdfast.spec({ review: { required: true }, steps: [{ write: 'made', content: 'x' }] }),
  )
  await eventOf(job, 'reviewRequested')
  for (const sandbox of await holdfast.connectSandboxes(job.id)) await sandbox.kill()
  await job.approve({ by: 'the test' })
  await job.result()
  await holdfast.jobs.sandboxes({ reap: true })
  return { holdfast, port }
}
