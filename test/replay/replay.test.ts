import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { readHistories, replay } from '../support/histories.ts'

const folder = fileURLToPath(new URL('histories', import.meta.url))

test('every history that is kept replays with the workflow code of today', async () => {
  const histories = await readHistories(folder)
  expect(histories.length).toBeGreaterThan(5)
  expect(await replay(histories)).toEqual([])
})
