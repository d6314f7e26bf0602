import { expect, test } from 'vitest'
import { chaos } from '../chaos/chaos.ts'

// What kills each of the parts once. `npm run chaos` does more, and with seeds that nobody has tried.
const PLAN = { jobs: 4, faults: 6, seed: 4540, parallel: 4 }

test(
  'jobs whose worker, Temporal, sandbox server and sandboxes are killed lose nothing and do nothing twice',
  { timeout: 300_000 },
  async () => {
    const { verdict, kept } = await chaos({
      ...PLAN,
      onProgress: () => undefined,
      signal: new AbortController().signal,
    })
    expect(verdict.problems).toEqual([])
    expect(Object.keys(verdict.faults)).toEqual(
      expect.arrayContaining(['workerKilled', 'temporalKilled', 'sandboxServerKilled']),
    )
    expect(kept).toBe(true)
  },
)
