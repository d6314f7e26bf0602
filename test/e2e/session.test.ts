import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Holdfast, startHoldfast } from '../support/holdfast.ts'

let holdfast: Holdfast
beforeAll(async () => {
  holdfast = await startHoldfast()
  await holdfast.startWorker()
})
afterAll(() => holdfast.stop())

const open = (options: Parameters<Holdfast['jobs']['sessions']['open']>[1] = {}) =>
  holdfast.jobs.sessions.open(`session-${randomUUID()}`, options)

test(
  'a session runs commands, keeps files, and its sandbox goes when it is closed',
  { timeout: 60_000 },
  async () => {
    const session = await open()
    const { exitCode, stdout } = await session.run('echo hello; exit 3')
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: 'hello\n' })
    await session.files.write('notes.txt', 'text')
    expect(await session.files.read('notes.txt')).toBe('text')
    const { sandbox } = await session.status()
    await session.close()
    const left = await holdfast.listSandboxes()
    expect(left.map(({ sandboxId }) => sandboxId)).not.toContain(sandbox.sandboxId)
  },
)
