import { once } from 'node:events'
import { chmod, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Authority } from './authority.ts'
import { dial, judge, parseHostPort, stillAllowed, type EgressOptions } from './dial.ts'
import { forward, refuse } from './forward.ts'
import { headersFor } from './header-rules.ts'
import { createInterceptor } from './intercept.ts'

interface Open {
  host: string
  port: number
  addresses: string[]
  /** Undefined for plain HTTP, whose headers are set anyway. */
  intercepted: boolean | undefined
}

const tlsHandshake = 0x16

/**
 * The way out of one sandbox: an HTTP proxy (CONNECT and absolute URLs) on a unix socket that the sandbox sees. It runs
 * out here, so nothing inside can go round it.
 */
export class EgressProxy {
  #options: EgressOptions
  #intercept: ReturnType<typeof createInterceptor>
  #server: Server
  #open = new Map<Socket, Open>()

  constructor(options: EgressOptions, authority: Authority) {
    this.#options = options
    this.#intercept = createInterceptor(options, authority)
    this.#server = createServer(
      { requestTimeout: 0 },
      (request, response) => void this.#forward(request, response),
    )
    this.#server.on('connect', (request, client: Socket, head: Buffer) => {
      client.on('error', () => client.destroy())
      if (head.length > 0) client.unshift(head)
      void this.#tunnel(request.url ?? '', client).catch((error: Error) =>
        client.end(`HTTP/1.1 502 Bad Gateway\r\n${plain(error.message)}`),
      )
    })
    this.#server.on('clientError', (_error, socket) => socket.destroy())
  }

  /** Replaces what an earlier server left at `path`. */
  async listen(path: string): Promise<void> {
    await rm(path, { force: true })
    this.#server.listen(path)
    await once(this.#server, 'listening')
    // The folder around it is what keeps others out.
    await chmod(path, 0o666)
  }

  /** Cuts connections that the settings, which have changed, don't allow any more. */
  recheck(): void {
    for (const [socket, connection] of this.#open)
      if (!stillAllowed(this.#options, connection)) socket.destroy()
  }

  close(): void {
    for (const socket of this.#open.keys()) socket.destroy()
    this.#server.closeAllConnections()
    this.#server.close()
  }

  async #tunnel(authority: string, client: Socket): Promise<void> {
    const target = parseHostPort(authority)
    if (!target)
      return void client.end(`HTTP/1.1 400 Bad Request\r\n${plain(`'${authority}' is no host:port`)}`)
    const { host, port } = target
    const decision = await judge(this.#options, host, port)
    if (!decision.allowed) return void client.end(`HTTP/1.1 403 Forbidden\r\n${plain(decision.reason)}`)
    const intercepted = headersFor(this.#options.settings().rules, host) !== undefined
    this.#keep(client, { host, port, addresses: decision.addresses, intercepted })
    if (!intercepted) return this.#join(client, await dial(this.#options, host, port, decision))
    client.write(established)
    const [first] = (await once(client, 'data')) as [Buffer]
    client.pause()
    client.unshift(first)
    if (first[0] === tlsHandshake) return this.#intercept(client, target)
    // Not TLS, so nothing to set headers on.
    this.#join(client, await dial(this.#options, host, port, decision), '')
  }

  #join(client: Socket, upstream: Socket, greeting = established): void {
    upstream.on('error', () => client.destroy())
    upstream.once('close', () => client.destroy())
    client.once('close', () => upstream.destroy())
    if (client.destroyed) return void upstream.destroy()
    client.write(greeting)
    client.pipe(upstream)
    upstream.pipe(client)
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = absolute(request.url)
    if (!url) return refuse(response, 400, 'this is a proxy: send absolute http:// URLs, or CONNECT')
    const port = Number(url.port || 80)
    const host = url.hostname.replace(/^\[|\]$/g, '')
    try {
      const decision = await judge(this.#options, host, port)
      if (!decision.allowed) return refuse(response, 403, decision.reason)
      const done = this.#keep(request.socket, {
        host,
        port,
        addresses: decision.addresses,
        intercepted: undefined,
      })
      response.once('close', done)
      const socket = await dial(this.#options, host, port, decision)
      const headers = headersFor(this.#options.settings().rules, host) ?? {}
      forward(request, response, { socket, host: url.host, path: url.pathname + url.search, headers })
    } catch (error) {
      refuse(response, 502, (error as Error).message)
    }
  }

  #keep(socket: Socket, connection: Open): () => void {
    this.#open.set(socket, connection)
    const done = () => void this.#open.delete(socket)
    socket.once('close', done)
    return done
  }
}

const established = 'HTTP/1.1 200 Connection established\r\n\r\n'

function absolute(url: string | undefined): URL | undefined {
  try {
    const parsed = new URL(url ?? '')
    return parsed.protocol === 'http:' ? parsed : undefined
  } catch {
    return undefined
  }
}

function plain(reason: string): string {
  const body = `holdfast egress proxy: ${reason}\n`
  return `content-type: text/plain\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
}
