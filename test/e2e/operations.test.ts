import { afterAll, beforeAll, test } from 'vitest'
import { NAMES, startWorld } from '../support/operation-world.ts'

let world: Awaited<ReturnType<typeof startWorld>>
// The first time on a machine this downloads the packages of the kernels.
beforeAll(async () => {
  world = await startWorld()
}, 300_000)
afterAll(() => world?.holdfast.stop())

test.each(NAMES)('%s through a workflow does what it does in E2B', { timeout: 60_000 }, async (name) => {
  const { perform, check, session } = await world.prepare(name)
  await check(await perform())
  await session.close()
})
