import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Session } from '../../src/index.ts'
import { end, type Holdfast, startHoldfast } from '../support/holdfast.ts'

let holdfast: Holdfast
let session: Session
beforeAll(async () => {
  holdfast = await startHoldfast({ sandboxArgs: ['--faults'] })
  await holdfast.startWorker()
  session = await holdfast.jobs.sessions.open(`session-${randomUUID()}`)
})
afterAll(async () => {
  await session.close()
  await holdfast.stop()
})

test('a batch is done in order in one update and one activity, each with its own result', async () => {
  await session.getInfo()
  const { length: before } = await holdfast.historyOf(session.id)
  const answers = await session.batch((s) =>
    Promise.all([
      s.files.makeDir('notes'),
      s.files.write('notes/a.txt', 'one\n'),
      s.commands.run('cat notes/a.txt; echo two >>notes/a.txt; exit 3'),
      s.files.read('notes/a.txt'),
      s.files.exists('notes/b.txt'),
      s.network.getHost(3000),
    ]),
  )
  expect(answers).toMatchObject([
    expect.anything(),
    { path: '/home/user/notes/a.txt' },
    { exitCode: 3, stdout: 'one\n' },
    'one\ntwo\n',
    false,
    { host: expect.stringMatching(/^3000-/) as string },
  ])
  const events = (await holdfast.historyOf(session.id)).slice(before)
  expect(events.filter((event) => event.startsWith('activityTaskScheduled'))).toHaveLength(1)
  expect(events.length).toBeLessThanOrEqual(11)
})

test('the first operation that fails is the last that is done, and each of those behind it says why', async () => {
  const asked = await session.batch((s) =>
    Promise.allSettled([
      s.commands.run('echo done >before'),
      s.files.read('nowhere'),
      s.commands.run('echo done >behind'),
    ]),
  )
  expect(asked).toMatchObject([
    { status: 'fulfilled' },
    { status: 'rejected', reason: { name: 'HoldfastError', type: 'FileNotFound' } },
    {
      status: 'rejected',
      reason: {
        type: 'FileNotFound',
        message: expect.stringMatching(
          /^commands.run: was not done, because files.read failed: .*nowhere/,
        ) as string,
      },
    },
  ])
  expect(await session.files.exists('before')).toBe(true)
  expect(await session.files.exists('behind')).toBe(false)
})

test.each([
  [
    'an operation whose input is wrong',
    (s: Session) => s.batch((b) => b.files.read('')),
    'operations[0].path',
  ],
  [
    'an operation that needs the result of another',
    (s: Session) => s.batch(async (b) => b.files.read(await b.files.read('before'))),
    'files.read: was asked for after its batch',
  ],
  [
    'one that may take as long as it likes',
    (s: Session) => s.batch((b) => b.commands.wait('x')),
    'operations[0]: is no operation with its input that a batch may hold',
  ],
  [
    'more than fit',
    (s: Session) => s.batch((b) => Promise.all(Array.from({ length: 51 }, () => b.files.exists('x')))),
    'are more than 50',
  ],
])('a batch with %s is refused, and says which', async (_what, ask, problem) => {
  await expect(ask(session)).rejects.toThrow(problem)
})

test('a batch whose worker is killed in the middle is done once by another one', async () => {
  const append = (name: string, seconds = 0) => `echo ${name} >>runs; sleep ${seconds}`
  const answers = session.batch((s) =>
    Promise.all([
      s.commands.run(append('first')),
      s.files.rename('before', 'moved'),
      s.commands.run(append('second', 4)),
      s.commands.run(append('third')),
    ]),
  )
  await expect.poll(() => session.files.read('runs').catch(() => '')).toBe('first\nsecond\n')
  await end(holdfast.workers.at(-1)!, 'SIGKILL')
  await holdfast.startWorker()
  expect((await answers).filter((answer) => 'exitCode' in answer)).toMatchObject([
    { exitCode: 0 },
    { exitCode: 0 },
    { exitCode: 0 },
  ])
  expect(await session.files.read('runs')).toBe('first\nsecond\nthird\n')
  expect(await session.files.exists('moved')).toBe(true)
})

test('a batch whose worker is killed in its last command undoes nothing of what it has done before', async () => {
  await session.run('rm -rf work; mkdir work; echo old >work/x; echo new >work/y')
  const answers = session.batch((s) =>
    Promise.all([
      s.files.read('work/x'),
      s.files.remove('work/x'),
      s.files.rename('work/y', 'work/x'),
      s.commands.run('touch work/begun; until [ -e work/go ]; do sleep 0.1; done; cat work/x'),
    ]),
  )
  await expect.poll(() => session.files.exists('work/begun')).toBe(true)
  await end(holdfast.workers.at(-1)!, 'SIGKILL')
  await holdfast.startWorker()
  await session.files.write('work/go', '')
  expect(await answers).toMatchObject(['old\n', null, { path: '/home/user/work/x' }, { stdout: 'new\n' }])
})

test('a batch that is handed over to the next run of its session goes on there behind what it has done', async () => {
  const short = await holdfast.jobs.sessions.open(`session-${randomUUID()}`, { turnAfter: 10 })
  const answers = short.batch((s) =>
    Promise.all([
      s.files.write('a', 'one\n'),
      s.commands.run('echo two >>a'),
      s.commands.run('touch begun; until [ -e go ]; do sleep 0.1; done; cat a'),
    ]),
  )
  await expect.poll(() => short.files.exists('begun')).toBe(true)
  await Promise.all(Array.from({ length: 10 }, () => short.files.exists('a')))
  await expect.poll(async () => (await short.status()).runs).toBeGreaterThan(1)
  await short.files.write('go', '')
  expect((await answers)[2]).toMatchObject({ stdout: 'one\ntwo\n' })
  await short.close()
})
