import { randomUUID } from 'node:crypto'
import { Sandbox } from 'e2b'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SEARCH_ATTRIBUTES } from '../../src/contract/search-attributes.ts'
import type { Session } from '../../src/index.ts'
import { type Holdfast, startHoldfast } from '../support/holdfast.ts'

let holdfast: Holdfast
beforeAll(async () => {
  holdfast = await startHoldfast()
  await holdfast.startWorker()
})
afterAll(() => holdfast.stop())

type Options = NonNullable<Parameters<Holdfast['jobs']['sessions']['open']>[1]>
const open = (options: Options = {}): Promise<Session> =>
  holdfast.jobs.sessions.open(`session-${randomUUID()}`, options)

const untilState = async (session: Session, state: string): Promise<void> => {
  await expect.poll(async () => (await session.status()).state).toBe(state)
}

const sandboxIds = async (): Promise<string[]> =>
  (await holdfast.listSandboxes()).map(({ sandboxId }) => sandboxId)

const columns = async ({ id }: Session): Promise<unknown> => {
  const { typedSearchAttributes } = await holdfast.workflows.getHandle(id).describe()
  const { sandboxId, sandboxState, owner } = SEARCH_ATTRIBUTES
  return [sandboxId, sandboxState, owner].map((key) => typedSearchAttributes.get(key))
}

const listedAt = async ({ id }: Session): Promise<Date | undefined> => {
  for await (const one of holdfast.jobs.sessions.list()) if (one.id === id) return one.openedAt
  return undefined
}

test('the sandbox of a closed session is gone, and the session answers no more', async () => {
  const session = await open()
  const { sandboxId } = await session.getInfo()
  await session.close()
  expect(await sandboxIds()).not.toContain(sandboxId)
  await expect(session.run('true')).rejects.toMatchObject({ type: 'SessionNotFound' })
  await session.close()
})

test('an idle sandbox is paused, and the next use finds its processes as they were', async () => {
  const session = await open({ idleTimeout: '1s' })
  const { pid, commandId } = await session.commands.start('sleep 1000')
  await untilState(session, 'paused')
  expect((await session.getInfo()).state).toBe('running') // asking resumes it, as any use does
  expect(await session.commands.list()).toContainEqual(expect.objectContaining({ pid, commandId }))
  await untilState(session, 'paused')
  expect((await session.status()).sandbox).toMatchObject({ pauses: 2, resumes: 1 })
  await session.close()
})

test("a session has its sandbox and that one's state as columns, also in a later run", async () => {
  const session = await open({ turnAfter: 10 })
  const { sandboxId } = await session.getInfo()
  expect(await columns(session)).toEqual([sandboxId, 'running', 'holdfast'])
  await session.pause()
  expect(await columns(session)).toEqual([sandboxId, 'paused', 'holdfast'])
  while ((await session.status()).runs < 2) await session.getInfo()
  expect(await columns(session)).toEqual([sandboxId, 'running', 'holdfast'])
  await session.close()
  expect(await columns(session)).toEqual([sandboxId, 'killed', 'holdfast'])
})

test('a list tells when a session was opened, and opening it again finds it, also in a later run', async () => {
  const session = await open({ turnAfter: 10 })
  while ((await session.status()).runs < 2) await session.getInfo()
  const { openedAt } = await session.status()
  const { startTime } = await holdfast.workflows.getHandle(session.id).describe()
  expect(openedAt).toBeLessThan(startTime.getTime())
  await expect.poll(() => listedAt(session)).toEqual(new Date(openedAt))
  await holdfast.jobs.sessions.open(session.id, { turnAfter: 10 })
  await session.close()
})

test('a command longer than the idle time is not paused under', async () => {
  const session = await open({ idleTimeout: '1s' })
  await session.run('sleep 2.5')
  expect((await session.status()).sandbox.pauses).toBe(0)
  await session.close()
})

test('a failed use arms the idle pause as well', async () => {
  const session = await open({ idleTimeout: '1s' })
  await expect(session.files.read('none')).rejects.toMatchObject({ type: 'FileNotFound' })
  await untilState(session, 'paused')
  await session.close()
})

test('pause waits for what runs, and resume needs no use', async () => {
  const session = await open()
  const run = session.run('sleep 0.5; echo done')
  await expect.poll(async () => (await session.status()).inUse).toBe(1)
  await session.pause()
  expect((await run).stdout).toBe('done\n')
  expect((await session.status()).state).toBe('paused')
  await session.resume()
  expect((await session.status()).state).toBe('running')
  await session.close()
})

test('commands are run in turn, unless they are said to be concurrent', async () => {
  const session = await open()
  const cmd = 'echo begin >>log; sleep 0.4; echo end >>log'
  await Promise.all([session.run(cmd), session.run(cmd)])
  expect(await session.files.read('log')).toBe('begin\nend\nbegin\nend\n')
  const wait = 'echo x >>both; until [ "$(wc -l <both)" = 2 ]; do sleep 0.05; done'
  const both = [1, 2].map(() => session.run(wait, { concurrent: true }))
  expect((await Promise.all(both)).map(({ exitCode }) => exitCode)).toEqual([0, 0])
  await session.close()
})

test('requests are neither lost nor done twice while runs of the workflow follow each other', async () => {
  const session = await open({ turnAfter: 10 })
  const other = holdfast.jobs.sessions.attach(session.reference)
  const numbers = Array.from({ length: 60 }, (_, index) => index)
  const users = [session, other, session, other]
  await Promise.all(
    users.map(async (user, place) => {
      for (const number of numbers.filter((number) => number % users.length === place))
        await user.run(`echo ${number} >>numbers`)
    }),
  )
  const lines = (await session.files.read('numbers')).trim().split('\n').map(Number)
  expect(lines.toSorted((a, b) => a - b)).toEqual(numbers)
  const { runs, operations } = await session.status()
  expect(runs).toBeGreaterThanOrEqual(5)
  expect(operations).toBeGreaterThanOrEqual(60)
  await session.close()
})

test('a command that takes longer than a run of the workflow holds nobody up, and runs once', async () => {
  const session = await open({ turnAfter: 10 })
  const long = session.run('echo began >>began; until [ -e go ]; do sleep 0.05; done; wc -l <began', {
    timeoutMs: 600_000,
  })
  await expect.poll(() => session.files.exists('began')).toBe(true)
  while ((await session.status()).runs < 3) await session.files.exists('go')
  await session.files.write('go', '')
  expect(await long).toMatchObject({ exitCode: 0, stdout: '1\n' })
  await session.close()
})

test('a request sent again under its id in a later run of the workflow is found done', async () => {
  const session = await open({ turnAfter: 10 })
  const requestId = randomUUID()
  const append = () => session.perform('commands.run', { cmd: 'echo x >>once; wc -l <once' }, { requestId })
  const first = await append()
  for (let n = 0; n < 12; n++) await session.getInfo()
  expect((await session.status()).runs).toBeGreaterThan(1)
  expect(await append()).toEqual(first)
  expect(await session.files.read('once')).toBe('x\n')
  await session.close()
})

test('what a command prints arrives while it runs, all of it', async () => {
  const session = await open()
  const heard = { stdout: '', stderr: '' }
  const run = session.run(
    'printf begun; echo aside >&2; until [ -e go ]; do sleep 0.05; done; seq 20000; printf end',
    {
      onStdout: (text) => (heard.stdout += text),
      onStderr: (text) => (heard.stderr += text),
    },
  )
  await expect.poll(() => heard).toEqual({ stdout: 'begun', stderr: 'aside\n' })
  await session.files.write('go', '')
  const { stdoutBytes } = await run
  const numbers = Array.from({ length: 20_000 }, (_, n) => `${n + 1}\n`)
  expect(heard.stdout).toBe(`begun${numbers.join('')}end`)
  expect(heard.stdout).toHaveLength(stdoutBytes)
  await session.close()
  expect(await holdfast.listBlobs()).toEqual([])
})

test('closing ends what runs', async () => {
  const session = await open()
  const run = session.run('sleep 1000', { timeoutMs: 600_000 })
  const outcome = run.catch((error: unknown) => error)
  await expect.poll(async () => (await session.status()).inUse).toBe(1)
  const { sandboxId } = await session.getInfo()
  await session.close()
  expect(await outcome).toMatchObject({ type: 'SandboxClosed' })
  expect(await sandboxIds()).not.toContain(sandboxId)
})

test('a sandbox that somebody else pauses is resumed by the next use, one that was killed is told as gone, and the session can be closed', async () => {
  const session = await open()
  const { sandboxId } = await session.getInfo()
  await session.run('true')
  await Sandbox.pause(sandboxId, holdfast.sandboxes.connection)
  expect((await session.run('echo on')).stdout).toBe('on\n')
  await Sandbox.kill(sandboxId, holdfast.sandboxes.connection)
  await expect(session.run('true')).rejects.toMatchObject({ type: 'SandboxGone' })
  expect((await session.status()).state).toBe('lost')
  await session.close()
})

test('a fork has the files, is a session of its own, and its snapshot goes with it', async () => {
  const session = await open()
  await session.files.write('shared.txt', 'before')
  const fork = await session.fork(`fork-${randomUUID()}`)
  await session.files.write('shared.txt', 'after')
  expect(await fork.files.read('shared.txt')).toBe('before')
  expect(await columns(fork)).toEqual([(await fork.getInfo()).sandboxId, 'running', 'holdfast'])
  await session.close()
  expect(await fork.files.read('shared.txt')).toBe('before')
  await fork.close()
  const left = await Sandbox.listSnapshots({ ...holdfast.sandboxes.connection }).nextItems()
  expect(left.filter(({ names }) => names.some((name) => name.includes(fork.id)))).toEqual([])
})

test('opening twice finds the session; with another spec, or another kind of workflow, it is a conflict', async () => {
  const session = await open({ idleTimeout: '1h' })
  const { sandboxId } = await session.getInfo()
  const again = await holdfast.jobs.sessions.open(session.id, { idleTimeout: '1h' })
  expect((await again.getInfo()).sandboxId).toBe(sandboxId)
  await expect(holdfast.jobs.sessions.open(session.id, { idleTimeout: '2h' })).rejects.toMatchObject({
    type: 'SpecConflict',
  })
  const open_ = []
  for await (const { id } of holdfast.jobs.sessions.list()) open_.push(id)
  expect(open_).toContain(session.id)
  await session.close()
  const anew = await holdfast.jobs.sessions.open(session.id)
  expect((await anew.getInfo()).sandboxId).not.toBe(sandboxId)
  await anew.close()
})

test('bad input is refused with its field, by the client before it is sent and by the worker where it came another way', async () => {
  const session = await open()
  await expect(session.run('true', { cwd: '' })).rejects.toMatchObject({
    type: 'InvalidSpec',
    problems: [{ field: 'cwd' }],
  })
  await expect(
    holdfast.updateUnchecked(session.id, 'files.read', { path: 7, colour: 'red' }),
  ).rejects.toMatchObject({
    cause: { message: expect.stringMatching(/path: .*\n.*colour: is not a field/s) },
  })
  await expect(holdfast.jobs.sessions.open('no spaces please', {})).rejects.toMatchObject({
    type: 'InvalidSpec',
    problems: [{ field: 'id' }],
  })
  await session.close()
})

test('a session whose sandbox can not be created says why to whoever waits for it', async () => {
  const session = await open({ sandbox: { template: 'there-is-none' } })
  await expect(session.run('true')).rejects.toMatchObject({ type: 'SandboxInvalidArgument' })
})

test('the records of old commands go, over runs of the workflow, and none of them is run again', async () => {
  const session = await open({ turnAfter: 10 })
  const requestId = randomUUID()
  await session.run('echo once >>count', { requestId })
  const fifty = Array.from({ length: 50 }, () => 'true')
  for (let n = 0; n < 3; n++) await session.batch((s) => Promise.all(fifty.map((cmd) => s.commands.run(cmd))))
  while ((await session.status()).runs < 2) await session.files.exists('count')
  await session.run('true') // with which they go
  const { stdout } = await session.run('ls .holdfast/commands | wc -l')
  expect(Number(stdout)).toBeLessThan(120)
  await expect(session.run('echo once >>count', { requestId })).rejects.toMatchObject({
    type: 'OutcomeUnknown',
  })
  expect(await session.files.read('count')).toBe('once\n')
  await session.close()
})

test('git.status tells of all files, however long they are together, and fails outside of a repository', async () => {
  const session = await open()
  await session.run(
    'git init -q short && git init -q long && touch short/a && cd long && seq -f %060g 500 | xargs touch',
  )
  expect((await session.git.status('short')).fileStatus).toMatchObject([{ path: 'a' }])
  expect((await session.git.status('long')).fileStatus).toHaveLength(500)
  await expect(session.git.status('/tmp')).rejects.toMatchObject({
    type: 'GitFailed',
    message: expect.stringContaining('not a git repository') as string,
  })
  await session.close()
})
