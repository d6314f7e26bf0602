import { fileURLToPath } from 'node:url'
import { planOf } from '../chaos/plan.ts'
import { runJob, specOf } from '../chaos/run-job.ts'
import { startWorld } from '../chaos/world.ts'
import { fetchHistories, saveHistories } from '../support/histories.ts'

/** Makes the histories that `replay.test.ts` replays: jobs of many kinds, two of which lose their sandbox. */
const world = await startWorld((line) => process.stderr.write(`${line}\n`))
try {
  const { jobs } = planOf(7, { jobs: 8, faults: 0 })
  const ids = await Promise.all(
    jobs.map(async (plan, index) => {
      const [id, repository] = [`recorded-${index}`, `repository-${index}`]
      await world.git.demo(repository)
      if (index < 2) await world.sandboxes.faults.arm({ kind: 'killSandbox', to: 'sandbox', skip: 4 + index })
      await runJob(
        world,
        plan,
        specOf(plan, id, world.git.repoUrl(repository), world.counter.port),
        repository,
      )
      return id
    }),
  )
  const folder = fileURLToPath(new URL('histories', import.meta.url))
  await saveHistories(folder, await fetchHistories(world.connection, ids))
} finally {
  await world.stop()
}
