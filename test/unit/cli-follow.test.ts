import { describe, expect, test } from 'vitest'
import { followJob, type Followed, type ProgressSink } from '../../src/cli/follow.ts'
import { HoldfastError } from '../../src/client/errors.ts'
import type { JobEvent, JobEventBody, JobStatus } from '../../src/contract/job.ts'

const bodies: JobEventBody[] = [
  { type: 'phase', phase: 'steps' },
  { type: 'stepStarted', step: 0, kind: 'run', name: 'make', round: 1 },
  { type: 'stepFinished', step: 0, kind: 'run', name: 'make', round: 1, ms: 1, exitCode: 0, output: '' },
  { type: 'phase', phase: 'done' },
]
const EVENTS = bodies.map((body, seq) => ({ seq, at: seq, ...body })) as JobEvent[]

/** A job in memory that tells EVENTS; `before` may wait or fail ahead of each. */
function jobInMemory(before: (event: JobEvent) => Promise<void> | void, overrides: Partial<Followed> = {}) {
  const asked: number[] = []
  const job: Followed = {
    async *events({ from = 0 } = {}) {
      asked.push(from)
      for (const event of EVENTS.slice(from)) {
        await before(event)
        yield event
      }
    },
    liveOutput: () => Promise.resolve(undefined),
    status: () => Promise.resolve({} as JobStatus),
    ...overrides,
  }
  return { job, asked }
}

function recordingSink() {
  const seen: number[] = []
  const notices: string[] = []
  const sink: ProgressSink = {
    event: ({ seq }) => void seen.push(seq),
    notice: (text) => void notices.push(text),
  }
  return { sink, seen, notices }
}

const unreachable = (): HoldfastError => new HoldfastError('ServerUnreachable', 'no poller')

describe('following a job', () => {
  test('tells each event from `from` on, to the end', async () => {
    const { job } = jobInMemory(() => undefined)
    const { sink, seen } = recordingSink()
    expect(await followJob(job, sink, { from: 2 })).toEqual({ next: 4, ended: true })
    expect(seen).toEqual([2, 3])
  })

  test('lost contact: says so, goes on behind the last event, and repeats none', async () => {
    let failures = 0
    const { job, asked } = jobInMemory((event) => {
      if (event.seq === 2 && failures++ === 0) throw unreachable()
    })
    const { sink, seen, notices } = recordingSink()
    expect(await followJob(job, sink)).toEqual({ next: 4, ended: true })
    expect(seen).toEqual([0, 1, 2, 3])
    expect(asked).toEqual([0, 2])
    expect(notices).toEqual(['nobody answers for the job (no poller); still trying', 'back in contact'])
  })

  test('nobody answers for longer than the patience: that is the error', async () => {
    const { job } = jobInMemory(
      () => {
        throw unreachable()
      },
      { status: () => Promise.reject(unreachable()) },
    )
    const { sink, seen } = recordingSink()
    await expect(followJob(job, sink, { patienceMs: 10 })).rejects.toMatchObject({
      type: 'ServerUnreachable',
    })
    expect(seen).toEqual([])
  })

  test('an error that does not pass is thrown at once', async () => {
    const { job, asked } = jobInMemory(() => {
      throw new HoldfastError('JobNotFound', 'there is no job x')
    })
    await expect(followJob(job, recordingSink().sink)).rejects.toMatchObject({ type: 'JobNotFound' })
    expect(asked).toEqual([0])
  })

  test('aborted while it waits for an event: ends at once, and says where to go on', async () => {
    const controller = new AbortController()
    const { job } = jobInMemory((event) => {
      if (event.seq !== 2) return undefined
      setImmediate(() => controller.abort())
      return new Promise(() => undefined)
    })
    const { sink } = recordingSink()
    expect(await followJob(job, sink, { signal: controller.signal })).toEqual({ next: 2, ended: false })
  })

  test('a running command: its live output reaches the sink, and is no longer asked for afterwards', async () => {
    const beat = { commandId: 'c', stdoutBytes: 3, stderrBytes: 0, recent: 'hi\n' }
    let asks = 0
    let heard: (() => void) | undefined
    const heardOutput = new Promise<void>((resolve) => (heard = resolve))
    const { job } = jobInMemory((event) => (event.seq === 2 ? heardOutput : undefined), {
      liveOutput: () => {
        asks++
        return Promise.resolve(beat)
      },
    })
    const outputs: unknown[] = []
    const sink: ProgressSink = {
      event: () => undefined,
      output: (given) => {
        outputs.push(given)
        heard?.()
      },
    }
    await followJob(job, sink)
    expect(outputs).toEqual([beat])
    expect(asks).toBe(1)
  })
})
