import { fileURLToPath } from 'node:url'
import { Client } from '@temporalio/client'
import { planOf } from '../chaos/plan.ts'
import { runJob, specOf } from '../chaos/run-job.ts'
import { startWorld, type World } from '../chaos/world.ts'
import { fetchHistories, type NamedHistory, saveHistories } from '../support/histories.ts'

const folder = fileURLToPath(new URL('histories', import.meta.url))
const tell = (line: string): void => void process.stderr.write(`${line}\n`)

/**
 * Makes the histories that `replay.test.ts` replays: jobs of many kinds, two of which lose their sandbox, a session, and jobs that go on in
 * runs of their own again and again.
 */
await inWorld(undefined, async (world) => {
  await saveHistories(folder, await jobsOf(world, 'recorded', 8))
  await saveHistories(folder, await sessionOf(world))
})
await inWorld(40, async (world) => saveHistories(folder, await jobsOf(world, 'recorded-long', 2)))

async function inWorld(
  turnAfter: number | undefined,
  record: (world: World) => Promise<void>,
): Promise<void> {
  const world = await startWorld(tell, { turnAfter })
  try {
    await record(world)
  } finally {
    await world.stop()
  }
}

/** The first two lose their sandbox. */
async function jobsOf(world: World, name: string, count: number): Promise<NamedHistory[]> {
  const { jobs } = planOf(7, { jobs: count, faults: 0 })
  const ids = await Promise.all(
    jobs.map(async (plan, index) => {
      const [id, repository] = [`${name}-${index}`, `repository-${index}`]
      await world.git.demo(repository)
      if (index < 2) await world.sandboxes.faults.arm({ kind: 'killSandbox', to: 'sandbox', skip: 4 + index })
      const spec = specOf(plan, id, world.git.repoUrl(repository), world.counter.port)
      await runJob(world, plan, spec, repository)
      return id
    }),
  )
  return fetchHistories(world.connection, ids)
}

/** A session's first run and its last, with operations of every order, a pause, and what closes it. */
async function sessionOf({ jobs, connection }: World): Promise<NamedHistory[]> {
  const session = await jobs.sessions.open('recorded-session', { turnAfter: 10 })
  const { workflow } = new Client({ connection })
  const { runId } = await workflow.getHandle(session.id).describe()
  const { commandId } = await session.commands.start('sleep 600')
  await Promise.all([session.run('echo one'), session.files.write('a.txt', 'x'), session.getInfo()])
  await session.batch((s) => Promise.all([s.files.read('a.txt'), s.commands.run('true')]))
  await session.pause()
  await session.commands.kill(commandId)
  while ((await session.status()).runs < 2) await session.files.exists('a.txt')
  await session.run('echo two')
  await session.close()
  const historyOf = (run?: string) => workflow.getHandle(session.id, run).fetchHistory()
  return [
    { workflowId: 'recorded-session-first', history: await historyOf(runId) },
    { workflowId: 'recorded-session-last', history: await historyOf() },
  ]
}
