import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { type Holdfast, startHoldfast } from '../support/holdfast.ts'
import { startProgram } from '../support/program.ts'

let holdfast: Holdfast
beforeAll(async () => {
  holdfast = await startHoldfast()
})
afterAll(() => holdfast.stop())

const run = (...args: string[]) => {
  const where = ['--address', inject('temporalAddress'), '--task-queue', holdfast.taskQueue]
  return startProgram([...where, ...args]).ended
}

test('while no worker polls, what needs one ends as NoWorker; an operation sent again under its id is done once', async () => {
  const { id } = await holdfast.jobs.submit(await holdfast.spec())
  const session = await holdfast.jobs.sessions.open(`session-${randomUUID()}`)
  const send = () => session.run('echo done >>log', { requestId: 'one' })
  const [approve, list, operation] = await Promise.all([
    run('approve', id),
    run('sandboxes', 'list'),
    send().catch((error: unknown) => error),
  ])
  expect(approve.code, approve.stderr).toBe(5)
  expect(approve.stderr).toMatch(new RegExp(`^error NoWorker: no worker takes up approve of ${id}`))
  expect(list.code, list.stderr).toBe(5)
  expect(list.stderr).toMatch(/^error NoWorker: /)
  expect(operation).toMatchObject({ name: 'HoldfastError', type: 'NoWorker', retryable: true })

  await holdfast.terminate(id)
  await holdfast.startWorker()
  await send()
  expect(await session.files.read('log')).toBe('done\n')
  await session.close()
})
