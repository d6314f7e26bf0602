import type { EgressSettings, UpstreamProxy } from '../egress/dial.ts'
import type { HeaderRules } from '../egress/header-rules.ts'
import type { EnvdSettings } from '../isolation/driver.ts'
import type { ProcessHandle } from '../isolation/processes.ts'
import type { StartCommand } from './start-command.ts'

/** `network` of create, as far as it is understood here. */
export interface NetworkRules {
  allowOut?: string[] | undefined
  denyOut?: string[] | undefined
  allowPublicTraffic?: boolean | undefined
  maskRequestHost?: string | undefined
  /** Ports whose programs speak TLS. */
  httpsPorts?: number[] | undefined
  /** Holds secrets, as does the proxy. */
  rules?: HeaderRules | undefined
  egressProxy?: UpstreamProxy | undefined
}

/** All that is known of a sandbox; one JSON file each. Times are RFC 3339. */
export interface SandboxRecord {
  sandboxID: string
  templateID: string
  /** The template's name, where it has one. */
  alias: string | undefined
  /** `starting` and `pausing` tell a server that starts what its predecessor was at. */
  state: 'starting' | 'running' | 'pausing' | 'paused'
  /** Time of creation or of the last resume. */
  startedAt: string
  endAt: string
  /** Timeout given at create, in seconds: what an automatic resume gives again. */
  timeout: number
  metadata: Record<string, string>
  envVars: Record<string, string>
  autoPause: boolean
  autoPauseMemory: boolean
  autoResume: boolean
  allowInternetAccess: boolean | undefined
  network: NetworkRules
  envdAccessToken: string
  trafficAccessToken: string | undefined
  /** Host uid it runs under, the first where it has several, where the server is root. */
  uid: number | undefined
  /** Undefined while there are no processes: before the start, and after a pause without memory. */
  process: ProcessHandle | undefined
  /** Processes that its own user had stopped before a pause or copy, and that must be left alone after it. */
  stoppedBefore: number[]
  /** Where commands run that name no folder; the home where undefined. */
  workdir?: string | undefined
  /** What its template starts in it. */
  start?: StartCommand | undefined
  /** A template is built in it: no client's, and of no use to the next server. */
  building?: boolean
  /** All processes stand still while the disk is copied; for a server that starts, as a running one says so itself. */
  copying?: boolean
}

/** The moment `seconds` from now. */
export function endIn(seconds: number): string {
  return new Date(Date.now() + seconds * 1000).toISOString()
}

/** A sandbox's way out, as its record has it. */
export function egressSettings({ allowInternetAccess = true, network }: SandboxRecord): EgressSettings {
  const { allowOut = [], denyOut = [], rules = {}, egressProxy } = network
  return { allowInternetAccess, allowOut, denyOut, rules, egressProxy }
}

/** What a sandbox's envd is told of it. */
export function envdSettings({ sandboxID, templateID, envVars, workdir }: SandboxRecord): EnvdSettings {
  const own = { E2B_SANDBOX: 'true', E2B_SANDBOX_ID: sandboxID, E2B_TEMPLATE_ID: templateID }
  return { envs: { ...own, ...envVars }, workdir }
}
