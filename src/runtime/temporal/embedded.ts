import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { lock } from 'proper-lockfile'
import { startDevServer } from './dev-server.ts'
import { type ProcessIdentity, endProcess, identify, isAlive, untilEnded } from './process-identity.ts'
import { untilReachable } from './reachable.ts'
import { type ServerRecord, readRecord, writeRecord } from './server-record.ts'
import { unlessAborted } from './unless-aborted.ts'

/** Temporal's own, which people know. */
export const DEFAULT_PORTS = { port: 7233, uiPort: 8233 }
const ANSWER_TIMEOUT_MS = 15_000
const STOP_GRACE_MS = 10_000

export interface EmbeddedOptions {
  /** Gets the path of the `temporal` CLI; asked only where a server has to be started. */
  cli: () => Promise<string>
  /** Folder of `temporal.db`, the server's log and its record. */
  stateFolder: string
  env: NodeJS.ProcessEnv
  /** Ports to take where they are free; 7233 and 8233 if left out. */
  preferredPorts?: { port: number; uiPort: number }
  /** Gives up the start where it is aborted: a server that was started by then is ended. */
  signal?: AbortSignal | undefined
}

export interface EmbeddedServer {
  address: string
  uiUrl: string
  pid: number
  /** started: by this call. adopted: its owner died and this process owns it now. shared: another process owns it. */
  origin: 'started' | 'adopted' | 'shared'
  /** Resolves, never rejects, when the process has ended. */
  ended: Promise<unknown>
  /** Ends the server where this process owns it. */
  stop: () => Promise<void>
}

/**
 * The Temporal server on a state folder's data file: the one that runs, or a new one. There is never a second server on
 * one file.
 *
 * @throws Error where the server that is there belongs to a living process and doesn't answer, a new one fails, or the
 *   start is given up
 */
export async function embeddedServer(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const { stateFolder, signal } = options
  await mkdir(join(stateFolder, 'logs'), { recursive: true })
  const recordFile = join(stateFolder, 'temporal.json')
  // Patient: the other one may be building the CLI.
  const retries = { retries: 7200, factor: 1, minTimeout: 250, maxTimeout: 250 }
  const release = await unlessAborted(lock(recordFile, { realpath: false, stale: 10_000, retries }), signal)
  try {
    const me = identify(process.pid)!
    const record = readRecord(recordFile)
    const running = record && (await takeRunning(record, recordFile, me, signal))
    return running ?? (await startNew(options, recordFile, me, record))
  } finally {
    await release()
  }
}

async function takeRunning(
  record: ServerRecord,
  recordFile: string,
  me: ProcessIdentity,
  signal: AbortSignal | undefined,
): Promise<EmbeddedServer | undefined> {
  if (!isAlive(record.server)) return undefined
  const owned = isAlive(record.owner)
  const address = `127.0.0.1:${record.port}`
  try {
    await untilReachable({ address }, 'default', ANSWER_TIMEOUT_MS, signal)
  } catch (error) {
    signal?.throwIfAborted()
    if (owned)
      throw new Error(
        `the embedded Temporal server (pid ${record.server.pid}), which process ${record.owner.pid} started, does not ` +
          `answer at ${address}: end that process and try again`,
        { cause: error },
      )
    await endProcess(record.server, STOP_GRACE_MS)
    return undefined
  }
  if (owned) return asServer(record, 'shared', untilEnded(record.server), () => Promise.resolve())
  writeRecord(recordFile, { ...record, owner: me })
  return asServer(record, 'adopted', untilEnded(record.server), () =>
    endProcess(record.server, STOP_GRACE_MS),
  )
}

async function startNew(
  options: EmbeddedOptions,
  recordFile: string,
  me: ProcessIdentity,
  last: ServerRecord | undefined,
): Promise<EmbeddedServer> {
  let record: ServerRecord | undefined
  const server = await startDevServer({
    cli: await unlessAborted(options.cli(), options.signal),
    env: options.env,
    logFile: join(options.stateFolder, 'logs', 'temporal.log'),
    dbFile: join(options.stateFolder, 'temporal.db'),
    preferredPorts: [options.preferredPorts ?? DEFAULT_PORTS, ...(last ? [last] : [])],
    onSpawn: ({ pid, port, uiPort }) => {
      const identity = identify(pid)
      if (identity) writeRecord(recordFile, (record = { server: identity, owner: me, port, uiPort: uiPort! }))
    },
    signal: options.signal,
  })
  return asServer(record!, 'started', server.ended, server.stop)
}

function asServer(
  { server, port, uiPort }: ServerRecord,
  origin: EmbeddedServer['origin'],
  ended: Promise<unknown>,
  stop: () => Promise<void>,
): EmbeddedServer {
  const [address, uiUrl] = [`127.0.0.1:${port}`, `http://127.0.0.1:${uiPort}`]
  return { address, uiUrl, pid: server.pid, origin, ended, stop }
}
