import { execa } from 'execa'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { DEFAULT_TASK_QUEUE } from '../../src/contract/job.ts'
import { type Holdfast, startHoldfast } from '../support/holdfast.ts'

let holdfast: Holdfast
beforeAll(async () => {
  holdfast = await startHoldfast()
  // The examples connect as a backend would: to the default task queue, which no other test file uses.
  await holdfast.startWorker({ HOLDFAST_TASK_QUEUE: DEFAULT_TASK_QUEUE })
})
afterAll(() => holdfast.stop())

test('examples/submit-job.ts submits, follows and prints the result, and run again finds the same job', async () => {
  const { repo } = await holdfast.spec()
  const run = async () =>
    (
      await execa(process.execPath, ['--import', 'tsx', 'examples/submit-job.ts', repo.url], {
        env: { TEMPORAL_ADDRESS: inject('temporalAddress') },
      })
    ).stdout
  const first = await run()
  const result = JSON.parse(first.split('\n').at(-1) ?? '') as Record<string, unknown>
  expect(result).toMatchObject({ outcome: 'completed', branch: 'holdfast/example-notes' })
  expect(await holdfast.repository(repo.url).head('holdfast/example-notes')).toBe(result.commit)
  expect(await run()).toBe(first)
})
