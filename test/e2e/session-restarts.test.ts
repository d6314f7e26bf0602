import { expect, test } from 'vitest'
import { sessionChaos } from '../chaos/session.ts'
import { startWorld } from '../chaos/world.ts'

test(
  'commands of a session are each done once while a worker and Temporal are killed and come back',
  { timeout: 300_000 },
  async () => {
    const world = await startWorld(() => undefined)
    try {
      const plan = { commands: 120, users: 4, turnAfter: 30, killWorkerAt: [40], killTemporalAt: [80] }
      const verdict = await sessionChaos(world, plan)
      expect(verdict).toMatchObject({ lost: [], twice: [], failed: [] })
      expect(verdict.runs).toBeGreaterThanOrEqual(4)
    } finally {
      await world.stop()
    }
  },
)
