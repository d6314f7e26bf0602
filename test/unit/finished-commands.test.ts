import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { FinishedCommand } from '../../src/contract/operations/records.ts'
import { AT_ONCE, FinishedCommands, KEPT } from '../../src/workflows/lib/finished-commands.ts'

type Asked = Parameters<FinishedCommands['during']>[0][number]

const run = (key: string, user?: string): Asked => ({
  name: 'commands.run',
  key,
  input: { cmd: 'true', ...(user && { user }) },
})

/** Does it, and tells what it was given to forget. */
async function done(finished: FinishedCommands, asked: Asked[]): Promise<FinishedCommand[]> {
  let given: FinishedCommand[] = []
  await finished.during(asked, async ({ forget = [] }) => {
    given = forget
  })
  return given
}

test('the records of all but the last commands of a user are forgotten, each once, and no later ones', async () => {
  const step = fc.record({ user: fc.constantFrom(undefined, 'root'), count: fc.integer({ min: 1, max: 50 }) })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      let finished = new FinishedCommands()
      const ran: Record<string, string[]> = {}
      const forgotten: Record<string, string[]> = {}
      for (const [index, { user, count }] of steps.entries()) {
        const keys = Array.from({ length: count }, (_, n) => `${index}/${n}`)
        const given = await done(
          finished,
          keys.map((key) => run(key, user)),
        )
        const of = user ?? ''
        ;(forgotten[of] ??= []).push(...given.map((one) => ('key' in one ? one.key : '')))
        ;(ran[of] ??= []).push(...keys)
        expect(forgotten[of]).toEqual(ran[of].slice(0, forgotten[of].length))
        expect(ran[of].length - forgotten[of].length).toBeLessThan(KEPT + AT_ONCE + 50)
        expect(ran[of].length - forgotten[of].length).toBeGreaterThanOrEqual(Math.min(KEPT, ran[of].length))
        finished = new FinishedCommands(structuredClone(finished.saved))
      }
    }),
  )
})

test('what is asked for again, or may not have been forgotten, is named later', async () => {
  const finished = new FinishedCommands()
  const keys = Array.from({ length: KEPT + AT_ONCE }, (_, n) => String(n))
  await done(
    finished,
    keys.map((key) => run(key)),
  )
  const lost = finished.during([run('lost')], () => Promise.reject(new Error('unreachable')))
  await expect(lost).rejects.toThrow('unreachable')
  expect(await done(finished, [run('0')])).toEqual([])
  expect(await done(finished, [run('next')])).toEqual(keys.slice(1, 1 + AT_ONCE).map((key) => ({ key })))
})

test('a command that was started is forgotten only when somebody has waited for its end', async () => {
  const finished = new FinishedCommands()
  const start: Asked = { name: 'commands.start', key: 'start', input: { cmd: 'true' } }
  const wait: Asked = { name: 'commands.wait', key: 'wait', input: { commandId: 'abc' } }
  const read: Asked = { name: 'files.read', key: 'read', input: { path: 'a' } }
  for (const one of [start, read]) await done(finished, [one])
  expect(finished.saved).toEqual({})
  await done(finished, [wait])
  expect(finished.saved).toEqual({ '': [{ commandId: 'abc' }] })
})

test('records of batches that run no command are forgotten by later batches', async () => {
  const finished = new FinishedCommands()
  const keys = Array.from({ length: KEPT + AT_ONCE }, (_, n) => String(n))
  const batch = (key: string): Asked => ({ name: 'batch', key, input: {} })
  for (const key of keys) expect(await done(finished, [batch(key)])).toEqual([])
  expect(await done(finished, [batch('next')])).toEqual(keys.slice(0, AT_ONCE).map((key) => ({ key })))
})
