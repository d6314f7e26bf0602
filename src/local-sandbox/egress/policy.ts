import { BlockList, isIP } from 'node:net'

/** A sandbox's outbound rules, as given at create. */
export interface EgressPolicy {
  allowInternetAccess: boolean
  /** Domains (`github.com`, `*.github.com`), addresses, CIDR blocks. */
  allowOut: string[]
  /** Addresses and CIDR blocks. */
  denyOut: string[]
}

export interface EgressTarget {
  /** As the program in the sandbox wrote it: a name or an address. */
  host: string
  port: number
  /** What the name resolves to, or the address itself. */
  addresses: string[]
}

/** `addresses` are those it may connect to, `byName` whether a rule for the name is why. */
export type EgressDecision =
  { allowed: true; addresses: string[]; byName: boolean } | { allowed: false; reason: string }

/**
 * Whether a sandbox may connect, and to which addresses. The host's own loopback and private networks are refused
 * whatever the sandbox's rules say, but for the `host:port` pairs in `hostLoopback`, which the operator named; so are
 * `ownAddresses`, on which the host listens too. Then `allowOut` wins over `denyOut`, and `denyOut` over the default.
 */
export function decide(
  policy: EgressPolicy,
  target: EgressTarget,
  hostLoopback: string[],
  ownAddresses: string[] = [],
): EgressDecision {
  const { host, port, addresses } = target
  if (!isIP(host) && !/^[\w.-]+$/.test(host)) return refuse(`'${host}' is no host name`)
  if (addresses.length === 0) return refuse(`${host} doesn't resolve`)
  const named = hostLoopback.includes(`${host}:${port}`)
  const reachable = addresses.filter(
    // Never compared as text: an IPv6 address has many spellings.
    (address) => named || !(isPrivate(address) || matchesAddress(ownAddresses, address)),
  )
  if (reachable.length === 0)
    return refuse(
      `${host} is an address of this host or a private network; the server's --allow-host-loopback ${host}:${port} would allow it`,
    )
  const byName = policy.allowOut.some((rule) => matchesDomain(rule, host))
  const explicit = reachable.filter((address) => byName || matchesAddress(policy.allowOut, address))
  if (explicit.length > 0) return { allowed: true, addresses: explicit, byName }
  if (!policy.allowInternetAccess) return refuse('internet access is off (allow_internet_access is false)')
  const open = reachable.filter((address) => !matchesAddress(policy.denyOut, address))
  return open.length === 0
    ? refuse(`${host} is denied by network.denyOut`)
    : { allowed: true, addresses: open, byName }
}

/** What is wrong with the rules, as `field: problem; remedy`; undefined where nothing is. */
export function checkPolicy(policy: EgressPolicy): string | undefined {
  const bad = policy.denyOut.find((rule) => !isAddressRule(rule))
  if (bad !== undefined)
    return `network.denyOut: '${bad}' is no address or CIDR block; domains can only be allowed`
  const domain = policy.allowOut.find((rule) => !isAddressRule(rule))
  if (domain === undefined) return undefined
  if (!/^(\*\.|\*$)?([a-z0-9_-]+\.)*[a-z0-9_-]*$/i.test(domain) || /^[\d./:]+$/.test(domain))
    return `network.allowOut: '${domain}' is no domain, address or CIDR block; write e.g. github.com, *.github.com or 8.8.8.0/24`
  const everything = policy.denyOut.some((rule) => rule === '0.0.0.0/0') || !policy.allowInternetAccess
  return everything
    ? undefined
    : `network.allowOut: '${domain}' has no effect while the rest is open; add '0.0.0.0/0' (ALL_TRAFFIC) to network.denyOut`
}

/** Loopback, private, link-local, shared, multicast, reserved and tunnelled addresses of IPv4 and IPv6. */
export function isPrivate(address: string): boolean {
  if (isIP(address) !== 6) return internal.check(address, 'ipv4')
  // A zone names an interface of this host.
  if (address.includes('%')) return true
  return !globalUnicast.check(address, 'ipv6') || internal.check(address, 'ipv6')
}

// All of IPv6 that leads anywhere; IPv4 written as IPv6 is outside, and no name resolves to that in earnest.
const globalUnicast = new BlockList()
globalUnicast.addSubnet('2000::', 3, 'ipv6')

const internal = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const)
  internal.addSubnet(network, prefix, 'ipv4')
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
] as const)
  internal.addSubnet(network, prefix, 'ipv6')

function matchesDomain(rule: string, host: string): boolean {
  const [pattern, name] = [rule.toLowerCase(), host.toLowerCase().replace(/\.$/, '')]
  if (isIP(name)) return false
  if (pattern === '*') return true
  return pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) : name === pattern
}

function matchesAddress(rules: string[], address: string): boolean {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
  return rules.filter(isAddressRule).some((rule) => {
    const [network = '', prefix] = rule.split('/')
    // ALL_TRAFFIC is written as an IPv4 block and means both families.
    if (rule === '0.0.0.0/0') return true
    const block = new BlockList()
    const kind = isIP(network) === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) block.addAddress(network, kind)
    else block.addSubnet(network, Number(prefix), kind)
    return block.check(address, family)
  })
}

function isAddressRule(rule: string): boolean {
  const [network = '', prefix, more] = rule.split('/')
  const family = isIP(network)
  if (family === 0 || more !== undefined) return false
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 6 ? 128 : 32))
}

const refuse = (reason: string): EgressDecision => ({ allowed: false, reason })
