import { type ConfiguredServer, configuredServer } from './configured.ts'
import { DEFAULT_PORTS, type EmbeddedServer, embeddedServer } from './embedded.ts'
import { type CliProbes, type LocatedCli, type Progress, locateCli } from './locate-cli.ts'
import { type Address, untilReachable } from './reachable.ts'

const REACHABLE_TIMEOUT_MS = 5_000

export interface FindTemporalOptions {
  env: NodeJS.ProcessEnv
  /** Folder of the embedded server's data file, log and record. */
  stateFolder: string
  onProgress?: Progress
  /** Ports for an embedded server to take where they are free; 7233 and 8233 if left out. */
  preferredPorts?: { port: number; uiPort: number }
  /** Gives up the search where it is aborted: an embedded server that was started by then is ended. */
  signal?: AbortSignal
  /** How the outside is asked; given by unit tests. */
  probes?: Partial<FindProbes>
}

export interface FindProbes extends CliProbes {
  untilReachable: typeof untilReachable
  embedded: typeof embeddedServer
}

interface Found {
  address: string
  namespace: string
  /** Undefined where the server is somebody else's and its UI isn't known. */
  uiUrl: string | undefined
  /** One sentence: which server was taken. */
  how: string
  /** What a client or worker connects with: address, TLS and credentials. */
  connection: Address
  /** Ends the server where it is this process's own; otherwise does nothing. */
  stop: () => Promise<void>
}

interface ConfiguredTemporal extends Found {
  kind: 'configured'
}

export interface EmbeddedTemporal extends Found, Pick<EmbeddedServer, 'pid' | 'ended'> {
  kind: 'embedded'
  uiUrl: string
}

export type TemporalServer = ConfiguredTemporal | EmbeddedTemporal

/**
 * Finds a Temporal server: `TEMPORAL_ADDRESS` or an envconfig profile; else the embedded one, by a CLI that is found,
 * downloaded or built.
 *
 * @throws Error where the configured server does not answer within 5 s, or where there is no way to start one: it lists
 *   each attempt, why it failed, and what to do
 */
export async function findTemporal(options: FindTemporalOptions): Promise<TemporalServer> {
  const { env, probes = {} } = options
  const configured = configuredServer(env)
  return configured
    ? useConfigured(configured, probes.untilReachable ?? untilReachable, options.signal)
    : useEmbedded(options)
}

async function useConfigured(
  { connection, namespace, source, uiUrl }: ConfiguredServer,
  reach: typeof untilReachable,
  signal: AbortSignal | undefined,
): Promise<ConfiguredTemporal> {
  const { address } = connection
  try {
    await reach(connection, namespace, REACHABLE_TIMEOUT_MS, signal)
  } catch (error) {
    throw new Error(
      `${source}: ${(error as Error).message}. Start that server, correct the address, TLS settings and namespace ` +
        `("${namespace}"), or unset ${source.startsWith('TEMPORAL') ? source : 'its address'} to use an embedded one`,
      { cause: error },
    )
  }
  const how = `the Temporal server at ${address}, which ${source} names`
  return { kind: 'configured', address, namespace, uiUrl, how, connection, stop: () => Promise.resolve() }
}

/** The embedded server of a state folder, whatever is configured. @throws Error as `findTemporal` */
export async function useEmbedded(options: FindTemporalOptions): Promise<EmbeddedTemporal> {
  const start = options.probes?.embedded ?? embeddedServer
  let located: LocatedCli | undefined
  const server = await start({
    ...options,
    cli: async () => (located = await locateCli(options)).path,
  })
  const { address, uiUrl, origin, pid, ended } = server
  const how = {
    started: `an embedded Temporal server at ${address}${portNote(options, server)}, started with ${located?.how}`,
    adopted: `the embedded Temporal server at ${address} (pid ${pid}), left running by a process that was killed`,
    shared: `the embedded Temporal server at ${address} (pid ${pid}), which another process runs`,
  }[origin]
  return {
    kind: 'embedded',
    address,
    namespace: 'default',
    uiUrl,
    how,
    connection: { address },
    pid,
    ended,
    stop: server.stop,
  }
}

function portNote(options: FindTemporalOptions, taken: { address: string; uiUrl: string }): string {
  const { port, uiPort } = options.preferredPorts ?? DEFAULT_PORTS
  const busy = [
    ...(taken.address.endsWith(`:${port}`) ? [] : [port]),
    ...(taken.uiUrl.endsWith(`:${uiPort}`) ? [] : [uiPort]),
  ]
  return busy.length === 0 ? '' : ` (${busy.join(' and ')} being taken)`
}
