import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import parse from 'parse-prometheus-text-format'
import { type AgentJobInput, type Job, secret } from '../../src/index.ts'
import { type RealParts, withRealParts } from './real-parts.ts'
import { steadyPort } from './steady-port.ts'
import { median } from './median.ts'

export interface ParkedOptions {
  jobs: number
  /** How many jobs the worker keeps in memory. */
  cached: number
  /** They wait for a notification before they have a sandbox, in place of a review with a paused one. */
  beforeSandbox: boolean
  onProgress: (line: string) => void
}

/** What so many waiting jobs cost one worker, and what one of them costs. Times in ms, memory in MB. */
export interface ParkedFigures {
  parkedAfterS: number
  workerBefore: number
  /** With as many parked as the worker keeps in memory. */
  workerWithCacheFull: number
  workerWithAllParked: number
  /** Jobs that the worker has in memory then. */
  inMemory: number
  database: number
  events: number
  bytes: number
  /** Of the job that was parked first, so the one that a full cache has let go of. */
  statusAfter: number
  toldAfter: number
  doneAfter: number
  eventsWhenDone: number
  bytesWhenDone: number
}

/** Jobs submitted at once, and those on their way at most: a backlog would be measured otherwise. */
const AT_ONCE = 50
const ON_THEIR_WAY = 500

/** Parks real jobs on one real worker, has one of them done, and ends all. */
export const parkJobs = (options: ParkedOptions): Promise<ParkedFigures> =>
  withRealParts((parts) => parkOn(parts, options))

async function parkOn(
  { git, workflow, connect, startWorker, databaseBytes }: RealParts,
  { jobs: count, cached, beforeSandbox, onProgress }: ParkedOptions,
): Promise<ParkedFigures> {
  const metrics = await steadyPort()
  const worker = await startWorker('parked', {
    HOLDFAST_MAX_CACHED_WORKFLOWS: String(cached),
    HOLDFAST_METRICS_PORT: String(metrics),
  })
  const jobs = await connect('parked')

  const memory = async (): Promise<number> => {
    const status = await readFile(`/proc/${worker.pid}/status`, 'utf8')
    return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024)
  }
  const inMemory = async (): Promise<number> => {
    const families = parse(await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text())
    return Number(families.find(({ name }) => name === 'temporal_sticky_cache_size')?.metrics[0]?.value)
  }
  const waiting = beforeSandbox ? "HoldfastWaitingFor = 'notification go'" : 'HoldfastReviewNeeded = true'
  let parked = 0
  const untilParked = async (wanted: number): Promise<void> => {
    // Not more often: SQLite looks at every job to count these.
    while (parked < wanted && (parked = (await workflow.count(waiting)).count) < wanted) await delay(1_000)
  }

  const workerBefore = await memory()
  const begun = performance.now()
  const seconds = (): number => Math.round((performance.now() - begun) / 1000)
  const ids = Array.from({ length: count }, () => `job-${randomUUID()}`)
  let workerWithCacheFull: number | undefined
  for (let at = 0; at < count; at += AT_ONCE) {
    const url = git.repoUrl('demo')
    await Promise.all(
      ids.slice(at, at + AT_ONCE).map((id) => jobs.submit(specOf(id, { url, beforeSandbox }))),
    )
    await untilParked(at + AT_ONCE - ON_THEIR_WAY)
    if (at >= cached) workerWithCacheFull ??= await memory()
    if ((at + AT_ONCE) % 1_000 === 0) onProgress(`${at + AT_ONCE} submitted after ${seconds()} s`)
  }
  await untilParked(count)
  const parkedAfterS = seconds()
  const sample = await Promise.all(ids.slice(0, 50).map((id) => workflow.getHandle(id).describe()))
  const workerWithAllParked = await memory()
  const figures = {
    parkedAfterS,
    workerBefore,
    workerWithCacheFull: workerWithCacheFull ?? workerWithAllParked,
    workerWithAllParked,
    inMemory: await inMemory(),
    database: Math.round((await databaseBytes()) / 2 ** 20),
    events: median(sample.map(({ historyLength }) => historyLength)),
    bytes: median(sample.map(({ historySize = 0 }) => historySize)),
  }
  const job = jobs.get(ids[0]!)
  const statusAfter = await timed(() => job.status())
  const told = performance.now()
  const toldAfter = await timed(() => tell(job, beforeSandbox))
  await job.result()
  const doneAfter = Math.round(performance.now() - told)
  const { historyLength: eventsWhenDone, historySize: bytesWhenDone = 0 } = await workflow
    .getHandle(job.id)
    .describe()
  return { ...figures, statusAfter, toldAfter, doneAfter, eventsWhenDone, bytesWhenDone }
}

const specOf = (
  id: string,
  { url, beforeSandbox }: { url: string; beforeSandbox: boolean },
): AgentJobInput => ({
  id,
  repo: { url, auth: secret('GIT_TOKEN') },
  branch: `holdfast/${id}`,
  steps: [
    ...(beforeSandbox ? [{ waitFor: 'go', timeout: '7d' }] : []),
    { write: 'NOTES.md', content: 'made by a job\n' },
  ],
  ...(!beforeSandbox && { review: { required: true } }),
  commit: { message: 'Add notes' },
})

const tell = (job: Job, beforeSandbox: boolean): Promise<unknown> =>
  beforeSandbox ? job.notify('go') : job.approve({ by: 'the bench' })

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return Math.round(performance.now() - begun)
}
