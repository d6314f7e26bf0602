import { StackError } from './errors.ts'
import { untilAborted } from './interrupt.ts'

/** A process that may end by itself. */
interface Running {
  pid: number
  /** Resolves, never rejects, when it has ended. */
  ended: Promise<unknown>
  stop(): Promise<void>
}

export interface KeepOptions<T> {
  name: string
  /** Starts it. @param last the one that ended by itself; undefined the first time */
  start: (signal: AbortSignal, last: T | undefined) => Promise<T>
  onProgress: (line: string) => void
  /** Gives up the first start. */
  signal: AbortSignal
}

/** A process that is started again when it ends by itself. */
export interface Kept<T> {
  /** The one that was started first. */
  first: T
  /** Resolves, never rejects, when it is given up. */
  givenUp: Promise<Error>
  /** Ends it, also while it is being started again. */
  stop(): Promise<void>
}

/** A process that ends sooner than this after its start did not run, in ms. */
const STEADY_MS = 60_000
/** So many in a row that did not run are a fault which another start won't mend. */
const MAX_SHORT_RUNS = 5

/**
 * Starts a process, and again whenever it ends by itself: what it works on is durable, and goes on where it was.
 *
 * @throws what the first start throws
 */
export async function keepRunning<T extends Running>(options: KeepOptions<T>): Promise<Kept<T>> {
  const { name, start, onProgress } = options
  const stopping = new AbortController()
  const first = await start(options.signal, undefined)
  let child = first

  const watch = async (): Promise<void> => {
    for (let shortRuns = 0; ;) {
      const startedAt = Date.now()
      await Promise.race([child.ended, untilAborted(stopping.signal)])
      if (stopping.signal.aborted) return
      shortRuns = Date.now() - startedAt < STEADY_MS ? shortRuns + 1 : 0
      if (shortRuns === MAX_SHORT_RUNS)
        throw new StackError(`${name} ended by itself ${MAX_SHORT_RUNS} times in a row`, {
          remedy: 'read its log, in the state folder',
        })
      onProgress(`${name} (process ${child.pid}) ended by itself; starting another one`)
      child = await start(stopping.signal, child)
      // Too late for `start` to see it, and `stop` knows the last one only.
      if (stopping.signal.aborted) return child.stop()
      onProgress(`${name} runs again (process ${child.pid})`)
    }
  }
  const watching = watch()
  const givenUp = new Promise<Error>((resolve) => {
    watching.catch((error: Error) => {
      if (!stopping.signal.aborted) resolve(error)
    })
  })
  return {
    first,
    givenUp,
    stop: async () => {
      stopping.abort(new Error('stopped'))
      await child.stop()
      await watching.catch(() => undefined)
      onProgress(`${name} has stopped`)
    },
  }
}
