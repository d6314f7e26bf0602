import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Client, Connection, type WorkflowHandle } from '@temporalio/client'
import { agentJobSpec, type AgentJobInput, connect, type JobResult, secret } from '../src/index.ts'
import { locateCli } from '../src/runtime/temporal/locate-cli.ts'
import { startDevServer } from '../src/runtime/temporal/dev-server.ts'
import { testGitHost } from '../test/support/git-host.ts'
import { startOtlpReceiver } from '../test/support/otlp-receiver.ts'
import { startSandboxServer } from '../test/support/sandbox-server.ts'
import { end, startWorkerProcess, workerEnv } from '../test/support/worker.ts'
import { median } from '../test/support/median.ts'

// What a job costs more where it is watched: columns in the list, metrics, traces. One after the other in one run; medians.
// npm run bench -- monitoring [--rounds 5] [--json]

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, json: { type: 'boolean', default: false } },
})
const rounds = Number(values.rounds)

const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
const git = await testGitHost()
const sandboxes = await startSandboxServer({ args: ['--allow-host-loopback', `localhost:${git.port}`] })
const cli = await locateCli({ env: process.env, onProgress: console.error })
const logFile = join(folder, 'temporal.log')
const temporal = await startDevServer({
  cli: cli.path,
  env: process.env,
  logFile,
  headless: true,
  tied: true,
})
const receiver = await startOtlpReceiver()
const { address } = temporal

const startWorker = (taskQueue: string, env: NodeJS.ProcessEnv) =>
  startWorkerProcess({
    ...workerEnv({ address, taskQueue, folder, git, sandboxes }),
    ...env,
  })

const watchedEnv = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, HOLDFAST_METRICS_PORT: '0' }
const workers = [await startWorker('plain', {}), await startWorker('watched', watchedEnv)]
const connection = await Connection.connect({ address })
const { workflow } = new Client({ connection })
Object.assign(process.env, watchedEnv)
const watched = await connect({ address, taskQueue: 'watched' })

/** Each starts a job in its own way, and answers with the id of its workflow. */
const variants = {
  // As any client of Temporal may: then the workflow leaves the list alone.
  plain: async (spec: AgentJobInput) => {
    const options = { workflowId: spec.id, taskQueue: 'plain', args: [agentJobSpec.parse(spec)] }
    await workflow.start('agentJob', options)
  },
  watched: async (spec: AgentJobInput) => {
    await watched.submit(spec)
  },
}

async function specOf(name: string): Promise<AgentJobInput> {
  const id = `${name}-${randomUUID()}`
  await git.demo(id)
  return {
    id,
    repo: { url: git.repoUrl(id), auth: secret('GIT_TOKEN') },
    branch: 'holdfast/work',
    steps: [
      { write: 'NOTES.md', content: 'made by a job\n' },
      // Half a minute of tests: short for a job, and long enough for heartbeats, which are billed.
      { run: 'sleep 30' },
      { run: 'true' },
      { sleep: 100 },
    ],
    checks: [{ run: 'true' }],
    commit: { message: 'Add notes' },
    push: true,
  }
}

const ACTIONS =
  /^(activityTaskScheduled|timerStarted|upsertWorkflowSearchAttributes|workflowExecution(Started|Signaled|UpdateAccepted))/

async function costOf(handle: WorkflowHandle): Promise<Record<string, number>> {
  const begun = performance.now()
  const { cost } = (await handle.result()) as JobResult
  const ms = performance.now() - begun
  const { historySize = 0 } = await handle.describe()
  const { events } = await handle.fetchHistory()
  const kinds = (events ?? []).flatMap((event) =>
    Object.keys(event).filter((key) => key.endsWith('Attributes')),
  )
  return {
    events: kinds.length,
    'actions in the history': kinds.filter((kind) => ACTIONS.test(kind)).length,
    'actions billed': cost.temporal.actions,
    bytes: historySize,
    ms,
  }
}

try {
  const samples: Record<string, Record<string, number>[]> = { plain: [], watched: [] }
  // The first round warms up.
  for (let round = 0; round <= rounds; round++)
    for (const [name, start] of Object.entries(variants)) {
      const spec = await specOf(name)
      await start(spec)
      const cost = await costOf(workflow.getHandle(spec.id))
      if (round > 0) samples[name]!.push(cost)
    }
  const rows = ['events', 'actions in the history', 'actions billed', 'bytes', 'ms'].map((figure) => {
    const [plain, more] = ['plain', 'watched'].map((name) =>
      median(samples[name]!.map((cost) => cost[figure]!)),
    )
    return {
      figure,
      plain: Math.round(plain!),
      watched: Math.round(more!),
      ratio: Number((more! / plain!).toFixed(2)),
    }
  })
  if (values.json) console.log(JSON.stringify(rows))
  else console.table(rows)
} finally {
  await Promise.all(workers.map((worker) => end(worker, 'SIGTERM')))
  await watched.close()
  await connection.close()
  await receiver.stop()
  await temporal.stop()
  await sandboxes.stop()
  await git.cleanUp()
  await rm(folder, { recursive: true, force: true })
}
