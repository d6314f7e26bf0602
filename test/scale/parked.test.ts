import { expect, test } from 'vitest'
import { parkJobs } from '../support/parked-jobs.ts'

const JOBS = Number(process.env.HOLDFAST_PARKED_JOBS ?? 10_000)
const CACHED = Math.min(1_000, JOBS / 10)

test(`${JOBS} jobs wait on one worker, whose memory doesn't grow with them, and the one that is told is done`, async () => {
  const figures = await parkJobs({
    jobs: JOBS,
    cached: CACHED,
    beforeSandbox: true,
    onProgress: (line) => process.stderr.write(`${line}\n`),
  })
  console.table(figures)
  expect(figures.inMemory).toBeLessThanOrEqual(CACHED)
  // MB: what the jobs in memory may have, and garbage that isn't collected yet. All jobs would have more.
  expect(figures.workerWithAllParked).toBeLessThan(figures.workerBefore + CACHED + 300)
  expect(figures.statusAfter).toBeLessThan(10_000)
  expect(figures.doneAfter).toBeLessThan(60_000)
})
