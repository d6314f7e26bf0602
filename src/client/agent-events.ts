import type { AgentEvent } from '../contract/agents/agent.ts'
import { agentCli, isAgentPreset } from '../contract/agents/index.ts'
import { AgentStream } from '../contract/agents/stream.ts'
import type { JobEvent } from '../contract/job.ts'
import { cutMiddle, type OutputChunk, type OutputPlace } from '../contract/output.ts'

/** A place among the events of a job: behind the one of that `seq` or, with `sandbox` and `index`, behind that of an agent. */
export interface EventPlace {
  seq: number
  sandbox?: number
  index?: number
}

/**
 * What an agent does, told while it does it. It is read from the agent's output, and is in no history. `step`, `sandbox` and `index` name
 * it: a turn whose sandbox is lost begins anew in the next one. `seq` is that of the job's event before it.
 */
export interface LiveAgentEvent {
  type: 'agentEvent'
  seq: number
  step: number
  sandbox: number
  /** Counts from 0. */
  index: number
  /** Texts of at most 4,000 characters, the middle of longer ones left out. */
  event: AgentEvent
}

type Started = JobEvent & { type: 'stepStarted' }
type Follow = (
  step: number,
  end: AbortSignal,
  from: OutputPlace | undefined,
) => AsyncGenerator<OutputChunk, void>
type Told = Pick<LiveAgentEvent, 'step' | 'sandbox' | 'index' | 'event'>

const MAX_TEXT = 4_000
const ENDS = new Set<JobEvent['type']>([
  'agentTurn',
  'stepStarted',
  'stepFinished',
  'phase',
  'failed',
  'cancelled',
])

/**
 * The events of a job behind `after`, and between them what its agents do.
 *
 * @param allEvents of the job, until `left`: a turn may have begun before `after`
 * @param follow the output of a step, until `end`
 */
export async function* withAgentEvents(
  allEvents: (left: AbortSignal) => AsyncGenerator<JobEvent, void>,
  follow: Follow,
  after: EventPlace,
): AsyncGenerator<JobEvent | LiveAgentEvent, void> {
  let { seq } = after
  const left = new AbortController()
  const events = allEvents(left.signal)
  let started: Started | undefined
  let turn: Turn | undefined
  let news = events.next()
  try {
    for (;;) {
      const told = turn && (await Promise.race([turn.news, news.then(() => undefined)]))
      if (told && turn) {
        if (told.done) turn = undefined
        else yield { type: 'agentEvent', seq, ...turn.take(told.value) }
        continue
      }
      const { done, value: event } = await news
      if (turn && (done || ENDS.has(event.type))) {
        for await (const told of turn.rest()) yield { type: 'agentEvent', seq, ...told }
        turn = undefined
      }
      if (done) return
      if (ENDS.has(event.type)) started = isAgents(event) ? event : undefined
      if (event.seq > after.seq) {
        yield event
        seq = event.seq
      }
      if (started && !turn && event.seq >= after.seq) {
        turn = new Turn(started, follow, event.seq === after.seq ? after : { seq })
        started = undefined
      }
      news = events.next()
    }
  } finally {
    news.catch(() => undefined) // nobody waits for it any more
    left.abort()
    await turn?.leave()
  }
}

const isAgents = (event: JobEvent): event is Started => event.type === 'stepStarted' && event.kind === 'agent'

/** The turn of an agent that goes on. */
class Turn {
  readonly #end = new AbortController()
  readonly #events: AsyncGenerator<Told, void>
  /** What it does next. */
  news: Promise<IteratorResult<Told, void>>

  constructor({ step, agent }: Started, follow: Follow, { sandbox, index = -1 }: EventPlace) {
    const from = sandbox === undefined ? undefined : { sandbox, stdout: 0, stderr: 0 }
    this.#events = agentEvents(follow(step, this.#end.signal, from), { step, agent, sandbox, index })
    this.news = this.#events.next()
  }

  take(told: Told): Told {
    this.news = this.#events.next()
    return told
  }

  /** It has ended: what there is still to tell of it. */
  async *rest(): AsyncGenerator<Told, void> {
    this.#end.abort()
    for (let next = await this.news; !next.done; next = await this.#events.next()) yield next.value
  }

  async leave(): Promise<void> {
    this.#end.abort()
    await this.news.catch(() => undefined)
    await this.#events.return()
  }
}

/** @param seen the last one that is not to be told again */
async function* agentEvents(
  output: AsyncGenerator<OutputChunk, void>,
  seen: { step: number; agent: string | undefined; sandbox: number | undefined; index: number },
): AsyncGenerator<Told, void> {
  const { step, agent } = seen
  const cli = agentCli(isAgentPreset(agent) ? agent : { run: '' })
  let stream = new AgentStream(cli)
  let sandbox = seen.sandbox ?? 0
  let index = 0
  const number = (events: AgentEvent[]): Told[] =>
    events
      .map((event) => ({ step, sandbox, index: index++, event: bounded(event) }))
      .filter((told) => told.sandbox !== seen.sandbox || told.index > seen.index)
  for await (const chunk of output) {
    if (chunk.stream !== 'stdout') continue
    if (chunk.next.sandbox !== sandbox) {
      stream = new AgentStream(cli)
      sandbox = chunk.next.sandbox
      index = 0
    }
    yield* number(stream.push(chunk.text))
  }
  yield* number(stream.end())
}

const bounded = (event: AgentEvent): AgentEvent =>
  Object.fromEntries(
    Object.entries(event).map(([name, value]) => [
      name,
      typeof value === 'string' ? cutMiddle(value, MAX_TEXT) : (value as unknown),
    ]),
  ) as AgentEvent
