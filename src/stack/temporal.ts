import { type EmbeddedTemporal, findTemporal, useEmbedded } from '../runtime/temporal/find-temporal.ts'
import { untilReachable } from '../runtime/temporal/reachable.ts'
import { StackError } from './errors.ts'
import { keepRunning } from './keep-running.ts'

const ANSWER_TIMEOUT_MS = 60_000

export interface TemporalOptions {
  env: NodeJS.ProcessEnv
  /** Folder of the embedded server's data file, log and record. */
  stateFolder: string
  /** For an embedded server, where they are free; 7233 and 8233 if left out. */
  preferredPorts?: { port: number; uiPort: number }
  onProgress: (line: string) => void
  signal: AbortSignal
}

/** A Temporal server. */
export interface Temporal {
  about: { address: string; namespace: string; uiUrl: string | undefined; how: string }
  /** What a worker needs to use it. */
  env: NodeJS.ProcessEnv
  /** Resolves, never rejects, when it can't be kept running. */
  givenUp: Promise<Error> | undefined
  /** Resolves when it answers, also one that is being started again. @throws StackError where it doesn't in time */
  untilAnswering(signal: AbortSignal): Promise<void>
  stop(): Promise<void>
}

/** The one that is configured; otherwise an embedded one, which is kept running. @throws StackError */
export async function startTemporal(options: TemporalOptions): Promise<Temporal> {
  const { onProgress, signal } = options
  const found = await orStackError(findTemporal(options))
  const { address, namespace, uiUrl, how, connection } = found
  const about = { address, namespace, uiUrl, how }
  const untilAnswering = (signal: AbortSignal): Promise<void> =>
    orStackError(untilReachable(connection, namespace, ANSWER_TIMEOUT_MS, signal))
  // One that is configured is in the environment already.
  if (found.kind === 'configured')
    return { about, env: {}, givenUp: undefined, untilAnswering, stop: () => found.stop() }
  const server = await keepRunning<EmbeddedTemporal>({
    name: 'Temporal',
    onProgress,
    signal,
    start: (signal, last) => (last ? startAgain({ ...options, signal }, last) : Promise.resolve(found)),
  })
  // An embedded server has no TLS and no keys.
  const env = { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace }
  return { about, env, givenUp: server.givenUp, untilAnswering, stop: () => server.stop() }
}

/** Workers and clients know it by its port: another one takes the same, or there is none. */
async function startAgain(
  options: TemporalOptions,
  { address, uiUrl }: EmbeddedTemporal,
): Promise<EmbeddedTemporal> {
  const preferredPorts = { port: portOf(`http://${address}`), uiPort: portOf(uiUrl) }
  const server = await orStackError(useEmbedded({ ...options, preferredPorts }))
  if (server.address === address) return server
  await server.stop()
  throw new StackError(`Temporal can't be started again at ${address}: another program has taken its port`, {
    remedy: 'end that program, and start again',
  })
}

const portOf = (url: string): number => Number(new URL(url).port)

async function orStackError<T>(attempt: Promise<T>): Promise<T> {
  try {
    return await attempt
  } catch (error) {
    throw new StackError((error as Error).message, {
      remedy: 'do what the message says, and start again',
      cause: error,
    })
  }
}
