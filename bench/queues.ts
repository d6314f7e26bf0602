import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { type AgentJobInput, type Job, type Jobs, secret } from '../src/index.ts'
import { median } from '../test/support/median.ts'
import { timed } from '../test/support/parked-jobs.ts'
import { withRealParts } from '../test/support/real-parts.ts'

// Whether workflows are answered later where their worker follows commands too, and sooner where another one does: what a task queue
// of its own for commands would gain.
// npm run bench -- queues [--commands 16] [--asked 60]

const { values } = parseArgs({
  options: { commands: { type: 'string', default: '16' }, asked: { type: 'string', default: '60' } },
})

/** 50 lines a second for longer than is measured. */
const TALKATIVE = 'for n in $(seq 1 100000); do echo "line $n of what a build prints"; sleep 0.02; done'

await withRealParts(async ({ git, workflow, connect, startWorker }) => {
  const specOf = (steps: AgentJobInput['steps'], name: string): AgentJobInput => ({
    id: `${name}-${randomUUID()}`,
    repo: { url: git.repoUrl('demo'), auth: secret('GIT_TOKEN') },
    branch: 'holdfast/work',
    steps,
  })
  /** Of a status, in ms: a query is answered by the workflow on its worker. */
  const answers = async (job: Job): Promise<number[]> => {
    const times: number[] = []
    for (let n = 0; n < Number(values.asked); n++) times.push(await timed(() => job.status()))
    return times
  }
  const busy = async (jobs: Jobs): Promise<Job[]> => {
    const specs = Array.from({ length: Number(values.commands) }, () => specOf([{ run: TALKATIVE }], 'busy'))
    const started = await Promise.all(specs.map((spec) => jobs.submit(spec)))
    for (const job of started)
      while (!(await job.liveOutput())?.recent) await new Promise((resolve) => setTimeout(resolve, 100))
    return started
  }
  const stop = async (running: Job[]): Promise<void> => {
    for (const job of running) await job.cancel()
    await Promise.all(running.map((job) => job.result().catch(() => undefined)))
  }

  await startWorker('one')
  await startWorker('other')
  const [one, other] = [await connect('one'), await connect('other')]
  const asked = await one.submit(specOf([{ waitFor: 'go', timeout: '1h' }, { run: 'true' }], 'asked'))
  await answers(asked)
  const figures: Record<string, number[]> = {}
  figures['no command runs'] = await answers(asked)
  let running = await busy(one)
  figures['its worker follows the commands'] = await answers(asked)
  await stop(running)
  running = await busy(other)
  figures['another worker follows them'] = await answers(asked)
  await stop(running)
  await workflow.getHandle(asked.id).terminate()
  console.table(
    Object.fromEntries(
      Object.entries(figures).map(([when, times]) => [
        when,
        {
          'median, ms': median(times),
          'p95, ms': times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.95)],
        },
      ]),
    ),
  )
})
