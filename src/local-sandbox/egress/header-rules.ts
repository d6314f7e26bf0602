import { validateHeaderName, validateHeaderValue } from 'node:http'

/** `network.rules`: per host, what is done to requests that go there. */
export type HeaderRules = Record<
  string,
  { transform?: { headers?: Record<string, string> | undefined } | undefined }[]
>

/** The form in which names of hosts are compared. */
export const normalHost = (host: string): string => host.toLowerCase().replace(/\.$/, '')

/** Headers to set on requests to a host: an exact rule's, else those of the longest matching wildcard. */
export function headersFor(rules: HeaderRules, host: string): Record<string, string> | undefined {
  const name = normalHost(host)
  const wildcards = Object.keys(rules).filter((key) => key.startsWith('*.') && name.endsWith(key.slice(1)))
  const [best] = Object.hasOwn(rules, name) ? [name] : wildcards.sort((a, b) => b.length - a.length)
  if (best === undefined) return undefined
  const headers = Object.assign({}, ...rules[best]!.map((rule) => rule.transform?.headers)) as Record<
    string,
    string
  >
  return Object.keys(headers).length > 0 ? headers : undefined
}

/** Raw headers with `headers` in place of what has the same name in any case. */
export function withHeaders(raw: string[], headers: Record<string, string>): string[] {
  const replaced = new Set(Object.keys(headers).map((name) => name.toLowerCase()))
  const kept = raw.filter((_, i) => !replaced.has(raw[i - (i % 2)]!.toLowerCase()))
  return [...kept, ...Object.entries(headers).flat()]
}

/** The rules as they may be shown: which headers are set, not to what. */
export function withoutValues(rules: HeaderRules): HeaderRules {
  const hide = (headers: Record<string, string>) =>
    Object.fromEntries(Object.keys(headers).map((name) => [name, '***']))
  return Object.fromEntries(
    Object.entries(rules).map(([host, all]) => [
      host,
      all.map(({ transform }) =>
        transform ? { transform: { headers: hide(transform.headers ?? {}) } } : {},
      ),
    ]),
  )
}

// These say how a message is framed and to whom it goes; a rule that set them would break or misdirect requests.
const reserved = /^(host|connection|content-length|transfer-encoding|te|trailer|upgrade|expect|proxy-.*)$/i

/** What is wrong with the rules, as `field: problem; remedy`; undefined where nothing is. Values are never told. */
export function checkHeaderRules(rules: HeaderRules): string | undefined {
  for (const [host, all] of Object.entries(rules)) {
    if (
      !/^(\*\.)?([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$/i.test(host) ||
      /^[\d.]+$/.test(host)
    )
      return `network.rules: '${host}' is no host name; write e.g. api.example.com or *.example.com`
    for (const [name, value] of all.flatMap(({ transform }) => Object.entries(transform?.headers ?? {}))) {
      const problem = headerProblem(name, value)
      if (problem !== undefined) return `network.rules['${host}']: header '${name}' ${problem}`
    }
  }
  return undefined
}

function headerProblem(name: string, value: string): string | undefined {
  if (reserved.test(name)) return "can't be set by a rule; leave it out"
  if (value.includes('${e2b.')) return 'has a placeholder, which this server does not fill; send the value'
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value)
    return undefined
  } catch {
    return 'has a name or value that HTTP does not allow'
  }
}
