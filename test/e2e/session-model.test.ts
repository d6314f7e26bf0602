import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Session } from '../../src/index.ts'
import { type Holdfast, startHoldfast } from '../support/holdfast.ts'

let holdfast: Holdfast
beforeAll(async () => {
  holdfast = await startHoldfast()
  await holdfast.startWorker()
})
afterAll(() => holdfast.stop())

/** What is true of a session, whoever uses it, paused or in whichever run of its workflow. */
interface Model {
  /** Lines that its commands wrote, in order. */
  log: string[]
  paused: boolean
  /** Requests that were answered, to be sent again. */
  answered: { requestId: string; line: string }[]
}

interface Real {
  session: Session
  sandboxId: string
}

type Step = fc.AsyncCommand<Model, Real>

let lines = 0
const newLine = (): string => `line-${lines++}`
const append = (session: Session, line: string, requestId: string = randomUUID()) =>
  session.run(`echo ${line} >>log; echo done`, { requestId })

const readLog = async (session: Session): Promise<string[]> => {
  const { stdout } = await session.run('cat log 2>/dev/null; true')
  return stdout.split('\n').filter(Boolean)
}

const e2bState = async (sandboxId: string): Promise<string | undefined> =>
  (await holdfast.listSandboxes()).find((sandbox) => sandbox.sandboxId === sandboxId)?.state

const used = (model: Model): void => void (model.paused = false)

const run: Step = {
  check: () => true,
  async run(model, { session }) {
    const [requestId, line] = [randomUUID(), newLine()]
    expect(await append(session, line, requestId)).toMatchObject({ exitCode: 0, stdout: 'done\n' })
    model.log.push(line)
    model.answered.push({ requestId, line })
    used(model)
  },
  toString: () => 'run',
}
const runTogether: Step = {
  check: () => true,
  async run(model, { session }) {
    const three = [newLine(), newLine(), newLine()]
    await Promise.all(three.map((line) => append(session, line)))
    used(model)
    const added = (await readLog(session)).slice(model.log.length)
    expect(added.toSorted()).toEqual(three.toSorted())
    model.log.push(...added)
  },
  toString: () => 'runTogether',
}
const sendAgain: Step = {
  check: ({ answered }) => answered.length > 0,
  async run(model, { session }) {
    const { requestId, line } = model.answered[0]!
    expect(await append(session, line, requestId)).toMatchObject({ exitCode: 0, stdout: 'done\n' })
    // Within one run of the workflow Temporal answers, and the sandbox isn't used.
    model.paused = (await session.status()).state === 'paused'
  },
  toString: () => 'sendAgain',
}
const pause: Step = {
  check: () => true,
  async run(model, { session, sandboxId }) {
    await session.pause()
    model.paused = true
    expect(await e2bState(sandboxId)).toBe('paused')
  },
  toString: () => 'pause',
}
const resume: Step = {
  check: () => true,
  async run(model, { session, sandboxId }) {
    await session.resume()
    used(model)
    expect(await e2bState(sandboxId)).toBe('running')
  },
  toString: () => 'resume',
}
const look: Step = {
  check: () => true,
  async run(model, { session, sandboxId }) {
    expect(await session.status()).toMatchObject({
      state: model.paused ? 'paused' : 'running',
      inUse: 0,
      sandbox: { sandboxId },
    })
    expect(await e2bState(sandboxId)).toBe(model.paused ? 'paused' : 'running')
  },
  toString: () => 'look',
}
const fail: Step = {
  check: () => true,
  async run(model, { session }) {
    await expect(session.files.read('nowhere')).rejects.toMatchObject({ type: 'FileNotFound' })
    used(model)
  },
  toString: () => 'fail',
}

test('whatever is asked of a session, each request is done once, in the sandbox as the last one left it', async () => {
  const steps = [run, runTogether, sendAgain, pause, resume, look, fail].map((step) => fc.constant(step))
  await fc.assert(
    fc.asyncProperty(fc.commands(steps, { maxCommands: 25, size: 'max' }), async (commands) => {
      const session = await holdfast.jobs.sessions.open(`session-${randomUUID()}`, { turnAfter: 10 })
      const { sandboxId } = await session.getInfo()
      const model: Model = { log: [], paused: false, answered: [] }
      await fc.asyncModelRun(() => ({ model, real: { session, sandboxId } }), commands)
      expect(await readLog(session)).toEqual(model.log)
      await session.close()
      expect(await e2bState(sandboxId)).toBeUndefined()
    }),
    { numRuns: 4 },
  )
})
