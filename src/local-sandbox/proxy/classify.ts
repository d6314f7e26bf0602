import type { IncomingHttpHeaders } from 'node:http'

export const envdPort = 49_983

/** Whom a request is for. */
export type Destination =
  | { kind: 'control' }
  | { kind: 'sandbox'; sandboxId: string; port: number }
  /** A signed file URL, which names no sandbox: it is found by its signature. */
  | { kind: 'signed-file'; url: URL }
  | { kind: 'bad'; message: string }

/** Tells sandbox traffic from control calls: by header, by host name, by signature, in this order. */
export function classify(method: string, target: string, headers: IncomingHttpHeaders): Destination {
  const [id, port] = [headers['e2b-sandbox-id'], headers['e2b-sandbox-port']]
  if (id !== undefined || port !== undefined) {
    if (typeof id !== 'string' || typeof port !== 'string')
      return {
        kind: 'bad',
        message: `header ${id === undefined ? 'E2b-Sandbox-Id' : 'E2b-Sandbox-Port'}: is missing; send both or none`,
      }
    return sandbox(id, port)
  }
  const host = /^(\d+)-([a-z0-9]+)\./.exec(headers.host?.toLowerCase() ?? '')
  if (host) return sandbox(host[2]!, host[1]!)
  const url = URL.canParse(target, 'http://server') ? new URL(target, 'http://server') : undefined
  if (!url) return { kind: 'bad', message: `path: '${target}' is malformed` }
  if (/^(GET|POST)$/.test(method) && url.pathname === '/files' && url.searchParams.has('signature'))
    return { kind: 'signed-file', url }
  return { kind: 'control' }
}

function sandbox(id: string, port: string): Destination {
  if (!/^[a-z0-9]+$/.test(id))
    return { kind: 'bad', message: 'E2b-Sandbox-Id: is malformed; send a sandbox id' }
  const number = Number(port)
  if (!/^\d{1,5}$/.test(port) || number < 1 || number > 65_535)
    return { kind: 'bad', message: `E2b-Sandbox-Port: '${port}' is no port; send 1 to 65535` }
  return { kind: 'sandbox', sandboxId: id, port: number }
}
