import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { isIP, type Socket } from 'node:net'
import { connect as tlsConnect, TLSSocket } from 'node:tls'
import type { Authority } from './authority.ts'
import { dial, judge, type EgressOptions } from './dial.ts'
import { forward, refuse } from './forward.ts'
import { headersFor, normalHost } from './header-rules.ts'

interface Target {
  host: string
  port: number
}

/**
 * Ends TLS of connections to hosts whose requests get headers, sets those, and goes on over TLS of its own, for which
 * the host must prove who it is by this machine's roots.
 */
export function createInterceptor(
  options: EgressOptions,
  authority: Authority,
): (client: Socket, target: Target) => Promise<void> {
  const targets = new WeakMap<object, Target>()
  const server = createServer(
    { requestTimeout: 0, headersTimeout: 0 },
    (request, response) => void serve(options, targets.get(request.socket)!, request, response),
  )
  server.on('clientError', (_error, socket) => socket.destroy())
  return async (client, target) => {
    const certificate = await authority.issue(normalHost(target.host))
    const socket = new TLSSocket(client, { isServer: true, ALPNProtocols: ['http/1.1'], ...certificate })
    socket.on('error', () => client.destroy())
    socket.once('close', () => client.destroy())
    targets.set(socket, target)
    server.emit('connection', socket)
  }
}

async function serve(
  options: EgressOptions,
  { host, port }: Target,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const authority = request.headers.host ?? ''
  // A host that serves many names could be one whose secrets are not the other's to see.
  if (normalHost(authority.replace(/:\d+$/, '')) !== normalHost(host))
    return refuse(response, 421, `this connection is to ${host}, and Host says otherwise`)
  const path = request.url ?? ''
  if (!path.startsWith('/') && path !== '*') return refuse(response, 400, 'send a path')
  try {
    const decision = await judge(options, host, port)
    if (!decision.allowed) return refuse(response, 403, decision.reason)
    const plain = await dial(options, host, port, decision)
    const name = normalHost(host)
    const socket = tlsConnect({
      socket: plain,
      host: name,
      ...(isIP(name) ? {} : { servername: name }),
      ALPNProtocols: ['http/1.1'],
    })
    const headers = headersFor(options.settings().rules, host) ?? {}
    forward(request, response, { socket, host: authority, path, headers })
  } catch (error) {
    refuse(response, 502, (error as Error).message)
  }
}
