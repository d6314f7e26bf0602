import { once } from 'node:events'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type EventPlace, type LiveAgentEvent, withAgentEvents } from '../../src/client/agent-events.ts'
import type { JobEvent, JobEventBody } from '../../src/contract/job.ts'
import type { OutputChunk, OutputPlace } from '../../src/contract/output.ts'

const report = { kind: 'agent', name: 'mend', round: 1 } as const
const bodies: JobEventBody[] = [
  { type: 'phase', phase: 'steps' },
  { type: 'stepStarted', step: 0, ...report },
  { type: 'sandboxLost', sandboxId: 'a', failure: { type: 'SandboxGone', message: '' } as never },
  { type: 'stepFinished', step: 0, ...report, ms: 1, exitCode: 0, output: '' },
  { type: 'stepStarted', step: 1, ...report, agent: 'codex' },
  { type: 'stepFinished', step: 1, ...report, ms: 1, exitCode: 0, output: '' },
  { type: 'phase', phase: 'done' },
]
const EVENTS = bodies.map((body, seq) => ({ seq, at: seq, ...body })) as JobEvent[]

const line = (object: object): string => `${JSON.stringify(object)}\n`
const thought = line({ type: 'thought', text: 'hm' })
const call = line({ type: 'toolCall', tool: 'sh', input: 'x'.repeat(9_000) })
const codexEdit = line({
  type: 'item.completed',
  item: { type: 'file_change', changes: [{ path: 'a' }, { path: 'b' }] },
})
/** By step and sandbox: what was printed there. */
const PRINTED = [[thought + call.slice(0, 30), thought + call + thought], [codexEdit]]

/** The outputs of a job, in pieces of `size` characters. */
const follow = (size: number) =>
  async function* (step: number, _end: AbortSignal, from?: OutputPlace): AsyncGenerator<OutputChunk, void> {
    for (const [sandbox, text] of PRINTED[step]!.entries())
      for (let at = 0; at < text.length; at += size) {
        if (sandbox < (from?.sandbox ?? 0)) break
        await Promise.resolve()
        const stdout = Math.min(text.length, at + size)
        yield {
          stream: 'stdout',
          text: text.slice(at, stdout),
          missedBytes: 0,
          next: { sandbox, stdout, stderr: 0 },
        }
      }
  }

async function told(after: EventPlace, size: number): Promise<(JobEvent | LiveAgentEvent)[]> {
  async function* events() {
    for (const event of EVENTS) {
      // So many ticks that what the turn prints comes before or behind it.
      for (let tick = 0; tick < size; tick++) await Promise.resolve()
      yield event
    }
  }
  const all = []
  for await (const event of withAgentEvents(events, follow(size), after)) all.push(event)
  return all
}

const nameOf = (event: JobEvent | LiveAgentEvent): string =>
  event.type === 'agentEvent' ? `${event.step} ${event.sandbox} ${event.index}` : String(event.seq)

test('what agents do is told between the beginning and the end of their turn, bounded', async () => {
  const all = await told({ seq: -1 }, 50)
  const agents = all.filter((event) => event.type === 'agentEvent')
  expect(agents.map(({ step, sandbox, index, event }) => [step, sandbox, index, event.type])).toEqual([
    [0, 0, 0, 'thought'],
    [0, 1, 0, 'thought'],
    [0, 1, 1, 'toolCall'],
    [0, 1, 2, 'thought'],
    [1, 0, 0, 'toolCall'],
    [1, 0, 1, 'edit'],
    [1, 0, 2, 'edit'],
  ])
  expect(JSON.stringify(agents).length).toBeLessThan(6_000)
  expect(all.filter((event) => event.type !== 'agentEvent')).toEqual(EVENTS)
  const names = all.map(nameOf)
  for (const [name, began, ended] of [
    ['0 0 0', '1', '3'],
    ['0 1 2', '1', '3'],
    ['1 0 2', '4', '5'],
  ] as const)
    expect([name, began, ended].toSorted((a, b) => names.indexOf(a) - names.indexOf(b))).toEqual([
      began,
      name,
      ended,
    ])
})

test('whoever stops behind any of them and goes on misses none, and sees none of those of agents twice', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(40),
      fc.integer({ min: 1, max: 500 }),
      fc.integer({ min: 1, max: 500 }),
      async (at, size, then) => {
        const all = await told({ seq: -1 }, size)
        const seen = all.slice(0, Math.min(at, all.length - 1) + 1)
        const rest = await told(seen.at(-1)!, then)
        const names = new Set(all.map(nameOf))
        expect(new Set([...seen, ...rest].map(nameOf))).toEqual(names)
        const repeated = [...seen, ...rest].length - names.size
        expect(seen.at(-1)!.type === 'agentEvent' ? repeated : 0).toBe(0)
      },
    ),
    { numRuns: 60 },
  )
})

test('whoever leaves in the middle of a turn keeps nobody busy', async () => {
  const left: string[] = []
  async function until(what: string, signal: AbortSignal): Promise<void> {
    await once(signal, 'abort')
    left.push(what)
  }
  async function* events(signal: AbortSignal): AsyncGenerator<JobEvent, void> {
    yield* EVENTS.slice(0, 2)
    await until('events', signal)
  }
  async function* follow(_: number, end: AbortSignal): AsyncGenerator<OutputChunk, void> {
    yield {
      stream: 'stdout',
      text: thought,
      missedBytes: 0,
      next: { sandbox: 0, stdout: thought.length, stderr: 0 },
    }
    await until('output', end)
  }
  for await (const { type } of withAgentEvents(events, follow, { seq: -1 })) if (type === 'agentEvent') break
  expect(left.toSorted()).toEqual(['events', 'output'])
})

test('behind the end of a turn its output is not asked for', async () => {
  const all = await told({ seq: 3 }, 10)
  expect(all.map(nameOf)).toEqual(['4', '1 0 0', '1 0 1', '1 0 2', '5', '6'])
})
