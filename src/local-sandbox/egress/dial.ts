import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { connect, isIP, type Socket } from 'node:net'
import { SocksClient } from 'socks'
import { headersFor, normalHost, type HeaderRules } from './header-rules.ts'
import { decide, type EgressDecision, type EgressPolicy } from './policy.ts'

/** A SOCKS5 proxy that a sandbox's connections go through. */
export interface UpstreamProxy {
  /** `host:port`. */
  address: string
  username?: string | undefined
  password?: string | undefined
}

/** All that is said of one sandbox's way out. */
export interface EgressSettings extends EgressPolicy {
  rules: HeaderRules
  egressProxy: UpstreamProxy | undefined
}

export interface EgressOptions {
  /** Read anew for each connection, since settings can change. */
  settings: () => EgressSettings
  hostLoopback: string[]
  /** Told of each refusal, for the log. */
  onRefused: (host: string, port: number, reason: string) => void
}

export type Allowed = Extract<EgressDecision, { allowed: true }>

const connectTimeoutMs = 30_000

/** Whether the sandbox may connect to a host, and what the host's headers are to be set to. */
export async function judge(
  { settings, hostLoopback, onRefused }: EgressOptions,
  host: string,
  port: number,
): Promise<EgressDecision> {
  const addresses = await resolve(host)
  const decision = decide(settings(), { host, port, addresses }, hostLoopback, ownAddresses())
  if (!decision.allowed) onRefused(host, port, decision.reason)
  return decision
}

/** A connection to what was allowed, and to nothing else: names aren't looked up again. Throws where there is none. */
export async function dial(
  options: EgressOptions,
  host: string,
  port: number,
  { addresses, byName }: Allowed,
): Promise<Socket> {
  const { egressProxy } = options.settings()
  // Those allowed by name are looked up by the proxy, as the platform has it.
  if (egressProxy) return throughProxy(options, egressProxy, byName ? host : addresses[0]!, port)
  return open(host, port, addresses)
}

/** Where a connection was open when settings changed: whether it may go on. */
export function stillAllowed(
  { settings, hostLoopback }: EgressOptions,
  connection: { host: string; port: number; addresses: string[]; intercepted: boolean | undefined },
): boolean {
  const now = settings()
  const intercepted = headersFor(now.rules, connection.host) !== undefined
  if (connection.intercepted !== undefined && connection.intercepted !== intercepted) return false
  const decision = decide(now, connection, hostLoopback, ownAddresses())
  return decision.allowed && connection.addresses.some((address) => decision.addresses.includes(address))
}

async function open(host: string, port: number, addresses: string[]): Promise<Socket> {
  const decided = addresses.map((address) => ({ address, family: isIP(address) }))
  const socket = connect({
    host: addresses.length === 1 ? addresses[0]! : host,
    port,
    lookup: (_host, _options, done) => done(null, decided),
    autoSelectFamily: true,
    timeout: connectTimeoutMs,
  })
  socket.once('timeout', () => socket.destroy(new Error(`${host}:${port} doesn't answer`)))
  await once(socket, 'connect')
  return socket.setTimeout(0)
}

// The proxy itself must not be a way to this host either.
async function throughProxy(
  { hostLoopback }: EgressOptions,
  proxy: UpstreamProxy,
  host: string,
  port: number,
): Promise<Socket> {
  const at = parseHostPort(proxy.address)!
  const anywhere = { allowInternetAccess: true, allowOut: [], denyOut: [] }
  const decision = decide(
    anywhere,
    { ...at, addresses: await resolve(at.host) },
    hostLoopback,
    ownAddresses(),
  )
  if (!decision.allowed) throw new Error(`network.egressProxy: ${decision.reason}`)
  const { socket } = await SocksClient.createConnection({
    command: 'connect',
    destination: { host, port },
    timeout: connectTimeoutMs,
    existing_socket: await open(at.host, at.port, decision.addresses),
    proxy: {
      host: at.host,
      port: at.port,
      type: 5,
      ...(proxy.username === undefined ? {} : { userId: proxy.username, password: proxy.password ?? '' }),
    },
  })
  return socket
}

/** `host:port`, the host an IPv6 address in brackets where it is one; undefined where it's neither. */
export function parseHostPort(text: string): { host: string; port: number } | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^[\]:]+)):(\d{1,5})$/.exec(text) ?? []
  const [host, port] = [bracketed ?? plain, Number(digits)]
  return host !== undefined && port > 0 && port < 65_536 ? { host, port } : undefined
}

// Read each time, since a laptop's change.
const ownAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address))

async function resolve(host: string): Promise<string[]> {
  if (isIP(host)) return [host]
  const found = await lookup(normalHost(host), { all: true }).catch(() => [])
  return found.map(({ address }) => address)
}
