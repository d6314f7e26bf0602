import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { FORGOTTEN } from '../../src/activities/lib/runner.ts'
import { type Attachment, attach } from '../support/runner.ts'

let home: string
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'holdfast-model-'))
})
afterAll(() => rm(home, { recursive: true, force: true }))

/** What is true of the command, whatever happened to whoever followed it. */
interface Model {
  state: 'unlaunched' | 'running' | 'exited' | 'orphaned' | 'forgotten'
}

class Command {
  readonly #id = randomUUID().slice(0, 12)
  readonly #count = `${home}/${this.#id}.count`
  readonly #go = `${home}/${this.#id}.go`
  #followers: Attachment[] = []
  #launched = false

  attach(): Attachment {
    const script = `echo ran >>"${this.#count}"; echo begun; until [ -e "${this.#go}" ]; do sleep 0.01; done; echo done; exit 7`
    const attachment = attach(home, { commandId: this.#id, script })
    this.#followers.push(attachment)
    this.#launched = true
    return attachment
  }

  /** Another command, with which the record of this one is to go. */
  async forget(): Promise<void> {
    await attach(home, { commandId: randomUUID().slice(0, 12), script: 'true', forget: [this.#id] }).trailer
  }

  async loseFollowers(): Promise<void> {
    const [lost, trailers] = [this.#followers, this.#followers.map(({ trailer }) => trailer)]
    this.#followers = []
    for (const follower of lost) follower.lose()
    await Promise.all(trailers)
  }

  finish(): Promise<void> {
    return writeFile(this.#go, '')
  }

  /** Leaves nothing behind that still writes: the supervisor's last act is the record that a follower waits for. */
  async end(): Promise<void> {
    await this.finish()
    if (this.#launched) await this.attach().trailer
    await this.loseFollowers()
  }

  /** The supervisor and its command die, as in a sandbox that ran out of memory. */
  async orphan(): Promise<void> {
    const folder = `${home}/commands/${this.#id}`
    const [supervisor] = (await readFile(`${folder}/pid`, 'utf8')).split(' ')
    // Written once the command runs, so perhaps after its first word.
    const child = await vi.waitFor(
      async () => {
        const text = await readFile(`${folder}/child`, 'utf8')
        expect(text).toMatch(/^\d+\n/)
        return text.trim()
      },
      { timeout: 60_000 },
    )
    process.kill(Number(supervisor), 'SIGKILL')
    process.kill(-Number(child), 'SIGKILL')
  }

  async runs(): Promise<number> {
    const text = await readFile(this.#count, 'utf8').catch(() => '')
    return text.split('\n').length - 1
  }
}

type Step = fc.AsyncCommand<Model, Command>

const follow: Step = {
  check: ({ state }) => state === 'unlaunched' || state === 'running',
  async run(model, command) {
    await command.attach().until('begun')
    model.state = 'running'
    expect(await command.runs()).toBe(1)
  },
  toString: () => 'follow',
}
const lose: Step = {
  check: ({ state }) => state === 'running',
  run: (_model, command) => command.loseFollowers(),
  toString: () => 'lose',
}
const finish: Step = {
  check: ({ state }) => state === 'running',
  async run(model, command) {
    await command.finish()
    expect(await command.attach().trailer).toMatchObject({ kind: 'exited', exitCode: 7 })
    model.state = 'exited'
  },
  toString: () => 'finish',
}
const orphan: Step = {
  check: ({ state }) => state === 'running',
  async run(model, command) {
    await command.loseFollowers()
    await command.orphan()
    model.state = 'orphaned'
  },
  toString: () => 'orphan',
}
const forget: Step = {
  check: () => true,
  async run(model, command) {
    await command.forget()
    if (model.state === 'exited') model.state = 'forgotten'
  },
  toString: () => 'forget',
}
const askForgotten: Step = {
  check: ({ state }) => state === 'forgotten',
  async run(_model, command) {
    expect(await command.attach().code).toBe(FORGOTTEN)
    expect(await command.runs()).toBe(1)
  },
  toString: () => 'askForgotten',
}
const ask: Step = {
  check: ({ state }) => state === 'exited' || state === 'orphaned',
  async run({ state }, command) {
    const trailer = await command.attach().trailer
    const expected =
      state === 'exited'
        ? { kind: 'exited', exitCode: 7, stdout: { head: 'begun\ndone\n', tail: '', bytes: 11 } }
        : { kind: 'unknown' }
    expect(trailer).toMatchObject(expected)
    expect(await command.runs()).toBe(1)
  },
  toString: () => 'ask',
}

test('whatever happens to a command and its followers, it runs once and its end is told as it was', async () => {
  const steps = [follow, lose, finish, orphan, forget, ask, askForgotten].map((step) => fc.constant(step))
  await fc.assert(
    fc.asyncProperty(fc.commands(steps, { maxCommands: 8 }), async (commands) => {
      const command = new Command()
      try {
        await fc.asyncModelRun(() => ({ model: { state: 'unlaunched' } as Model, real: command }), commands)
      } finally {
        await command.end()
      }
    }),
    { numRuns: 20 },
  )
})
