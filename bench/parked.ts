import { readFile, mkdtemp, rm } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { pathToFileURL } from 'node:url'
import { Client, Connection } from '@temporalio/client'
import { type AgentJobInput, connect, secret } from '../src/index.ts'
import { startDevServer } from '../src/runtime/temporal/dev-server.ts'
import { locateCli } from '../src/runtime/temporal/locate-cli.ts'
import { testGitHost } from '../test/support/git-host.ts'
import { startSandboxServer } from '../test/support/sandbox-server.ts'
import { end, startWorkerProcess } from '../test/support/worker.ts'

// How many jobs wait on one worker, and what each costs meanwhile.
// npm run bench -- parked [--jobs 100] [--cached 1000]
// Each has a paused sandbox, of which the local server keeps the memory: some 60 MB.

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '100' },
    cached: { type: 'string', default: '1000' },
  },
})
const count = Number(values.jobs)
const taskQueue = 'parked'

const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
const git = await testGitHost()
const sandboxes = await startSandboxServer({ args: ['--allow-host-loopback', `localhost:${git.port}`] })
const temporal = await startDevServer({
  cli: (await locateCli({ env: process.env })).path,
  env: process.env,
  logFile: join(folder, 'temporal.log'),
  dbFile: join(folder, 'temporal.db'),
  headless: true,
  tied: true,
})
const { address } = temporal
const worker = await startWorkerProcess({
  ...process.env,
  TEMPORAL_ADDRESS: address,
  HOLDFAST_TASK_QUEUE: taskQueue,
  HOLDFAST_LOG_LEVEL: 'error',
  HOLDFAST_BLOB_STORE: pathToFileURL(join(folder, 'blobs')).href,
  HOLDFAST_MAX_CACHED_WORKFLOWS: values.cached,
  HOLDFAST_SECRET_GIT_TOKEN: git.token,
  E2B_API_KEY: sandboxes.apiKey,
  E2B_API_URL: sandboxes.apiUrl,
  E2B_SANDBOX_URL: sandboxes.sandboxUrl,
})
const jobs = await connect({ address, taskQueue })
const connection = await Connection.connect({ address })
const { workflow } = new Client({ connection })

const specOf = (id: string): AgentJobInput => ({
  id,
  repo: { url: git.repoUrl('demo'), auth: secret('GIT_TOKEN') },
  branch: `holdfast/${id}`,
  steps: [{ write: 'NOTES.md', content: 'made by a job\n' }],
  review: { required: true },
  commit: { message: 'Add notes' },
})

/** Resident, in MB. */
async function memory(): Promise<number> {
  const status = await readFile(`/proc/${worker.pid}/status`, 'utf8')
  return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024)
}

const parked = async (): Promise<number> => (await workflow.count('HoldfastReviewNeeded = true')).count

const median = (of: number[]): number => of.toSorted((a, b) => a - b)[Math.floor(of.length / 2)] ?? NaN

try {
  await git.demo('demo')
  const before = await memory()
  const begun = performance.now()
  const ids = Array.from({ length: count }, () => `job-${randomUUID()}`)
  // So many at once that starting isn't what takes the time.
  for (let at = 0; at < count; at += 50)
    await Promise.all(ids.slice(at, at + 50).map((id) => jobs.submit(specOf(id))))
  while ((await parked()) < count) await new Promise((resolve) => setTimeout(resolve, 500))
  const seconds = (performance.now() - begun) / 1000
  const sample = await Promise.all(ids.slice(0, 50).map((id) => workflow.getHandle(id).describe()))
  const figures: Record<string, number> = {
    jobs: count,
    'all parked after, s': Math.round(seconds),
    'jobs a second': Number((count / seconds).toFixed(1)),
    'worker before, MB': before,
    'worker with all parked, MB': await memory(),
    'history of one, events': median(sample.map(({ historyLength }) => historyLength)),
    'history of one, bytes': median(sample.map(({ historySize }) => historySize ?? 0)),
  }
  // The one parked first is the one that the cache has let go of, where it has room for fewer.
  const job = jobs.get(ids[0]!)
  const asked = performance.now()
  await job.approve({ by: 'the bench' })
  figures['approved one answers after, ms'] = Math.round(performance.now() - asked)
  await job.result()
  figures['approved one is done after, ms'] = Math.round(performance.now() - asked)
  const { historyLength, historySize = 0 } = await workflow.getHandle(job.id).describe()
  figures['whole history, events'] = historyLength
  figures['whole history, bytes'] = historySize
  console.table(figures)
} finally {
  await end(worker, 'SIGTERM')
  await jobs.close()
  await connection.close()
  await sandboxes.stop()
  await temporal.stop()
  await git.cleanUp()
  await rm(folder, { recursive: true, force: true })
}
