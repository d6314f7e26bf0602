import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { Client, Connection } from '@temporalio/client'
import parse from 'parse-prometheus-text-format'
import { type AgentJobInput, connect, type Job, secret } from '../../src/index.ts'
import { startDevServer } from '../../src/runtime/temporal/dev-server.ts'
import { locateCli } from '../../src/runtime/temporal/locate-cli.ts'
import { testGitHost } from './git-host.ts'
import { startSandboxServer } from './sandbox-server.ts'
import { steadyPort } from './steady-port.ts'
import { end, startWorkerProcess } from './worker.ts'

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

/** Jobs on their way at once: a backlog would be measured otherwise. */
const ON_THEIR_WAY = 200

/** Parks real jobs on one real worker, has one of them done, and ends all. */
export async function parkJobs(options: ParkedOptions): Promise<ParkedFigures> {
  const { jobs: count, cached, beforeSandbox, onProgress } = options
  const undo: (() => Promise<unknown>)[] = []
  try {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-parked-'))
    undo.push(() => rm(folder, { recursive: true, force: true }))
    const git = await testGitHost()
    undo.push(() => git.cleanUp())
    await git.demo('demo')
    const sandboxes = await startSandboxServer({ args: ['--allow-host-loopback', `localhost:${git.port}`] })
    undo.push(() => sandboxes.stop())
    const dbFile = join(folder, 'temporal.db')
    const { path: cli } = await locateCli({ env: process.env })
    const logFile = join(folder, 'temporal.log')
    const { address, stop } = await startDevServer({
      cli,
      env: process.env,
      logFile,
      dbFile,
      headless: true,
      tied: true,
    })
    undo.push(stop)
    const metrics = await steadyPort()
    const taskQueue = 'parked'
    const worker = await startWorkerProcess({
      ...process.env,
      TEMPORAL_ADDRESS: address,
      HOLDFAST_TASK_QUEUE: taskQueue,
      HOLDFAST_LOG_LEVEL: 'error',
      HOLDFAST_BLOB_STORE: pathToFileURL(join(folder, 'blobs')).href,
      HOLDFAST_MAX_CACHED_WORKFLOWS: String(cached),
      HOLDFAST_METRICS_PORT: String(metrics),
      HOLDFAST_SECRET_GIT_TOKEN: git.token,
      E2B_API_KEY: sandboxes.apiKey,
      E2B_API_URL: sandboxes.apiUrl,
      E2B_SANDBOX_URL: sandboxes.sandboxUrl,
    })
    undo.push(() => end(worker, 'SIGTERM'))
    const jobs = await connect({ address, taskQueue })
    undo.push(() => jobs.close())
    const connection = await Connection.connect({ address })
    undo.push(() => connection.close())
    const { workflow } = new Client({ connection })

    const memory = async (): Promise<number> => {
      const status = await readFile(`/proc/${worker.pid}/status`, 'utf8')
      return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024)
    }
    const inMemory = async (): Promise<number> => {
      const families = parse(await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text())
      return Number(families.find(({ name }) => name === 'temporal_sticky_cache_size')?.metrics[0]?.value)
    }
    const waiting = beforeSandbox ? "HoldfastWaitingFor = 'notification go'" : 'HoldfastReviewNeeded = true'
    const parked = async (): Promise<number> => (await workflow.count(waiting)).count
    const untilParked = async (wanted: number): Promise<void> => {
      while ((await parked()) < wanted) await delay(200)
    }

    const workerBefore = await memory()
    const begun = performance.now()
    const ids = Array.from({ length: count }, () => `job-${randomUUID()}`)
    const specOf = (id: string): AgentJobInput => ({
      id,
      repo: { url: git.repoUrl('demo'), auth: secret('GIT_TOKEN') },
      branch: `holdfast/${id}`,
      steps: [
        ...(beforeSandbox ? [{ waitFor: 'go', timeout: '7d' }] : []),
        { write: 'NOTES.md', content: 'made by a job\n' },
      ],
      ...(!beforeSandbox && { review: { required: true } }),
      commit: { message: 'Add notes' },
    })
    let workerWithCacheFull = 0
    for (let at = 0; at < count; at += 50) {
      await Promise.all(ids.slice(at, at + 50).map((id) => jobs.submit(specOf(id))))
      await untilParked(at + 50 - ON_THEIR_WAY)
      if (workerWithCacheFull === 0 && at >= cached) workerWithCacheFull = await memory()
      if ((at + 50) % 1_000 === 0)
        onProgress(`${at + 50} submitted after ${Math.round((performance.now() - begun) / 1000)} s`)
    }
    await untilParked(count)
    const parkedAfterS = (performance.now() - begun) / 1000
    const sample = await Promise.all(ids.slice(0, 50).map((id) => workflow.getHandle(id).describe()))
    const figures = {
      parkedAfterS: Math.round(parkedAfterS),
      workerBefore,
      workerWithCacheFull: workerWithCacheFull || (await memory()),
      workerWithAllParked: await memory(),
      inMemory: await inMemory(),
      database: Math.round((await stat(dbFile)).size / 2 ** 20),
      events: median(sample.map(({ historyLength }) => historyLength)),
      bytes: median(sample.map(({ historySize = 0 }) => historySize)),
    }
    const job = jobs.get(ids[0]!)
    const statusAfter = await timed(() => job.status())
    const told = performance.now()
    const toldAfter = await timed(() => tell(job, beforeSandbox))
    await job.result()
    const doneAfter = Math.round(performance.now() - told)
    const { historyLength, historySize = 0 } = await workflow.getHandle(job.id).describe()
    return {
      ...figures,
      statusAfter,
      toldAfter,
      doneAfter,
      eventsWhenDone: historyLength,
      bytesWhenDone: historySize,
    }
  } finally {
    for (const step of undo.reverse()) await step()
  }
}

const tell = (job: Job, beforeSandbox: boolean): Promise<unknown> =>
  beforeSandbox ? job.notify('go') : job.approve({ by: 'the bench' })

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return Math.round(performance.now() - begun)
}

const median = (of: number[]): number => of.toSorted((a, b) => a - b)[Math.floor(of.length / 2)] ?? NaN
