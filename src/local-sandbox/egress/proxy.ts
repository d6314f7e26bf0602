import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { chmod, rm } from 'node:fs/promises'
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { connect, isIP, type Socket } from 'node:net'
import { decide, type EgressDecision, type EgressPolicy } from './policy.ts'

export interface EgressOptions {
  /** Read anew for each connection, since rules can change. */
  policy: () => EgressPolicy
  hostLoopback: string[]
  /** Told of each refusal, for the log. */
  onRefused: (host: string, port: number, reason: string) => void
}

const connectTimeoutMs = 30_000

/**
 * The way out of one sandbox: an HTTP proxy (CONNECT and absolute URLs) on a unix socket that the sandbox sees. It runs
 * out here, so nothing inside can go round it. Replaces what an earlier server left at `path`.
 */
export async function startEgressProxy(path: string, options: EgressOptions): Promise<Server> {
  await rm(path, { force: true })
  const server = createServer(
    { requestTimeout: 0 },
    (request, response) => void forward(options, request, response),
  )
  server.on('connect', (request, client: Socket, head: Buffer) => {
    client.on('error', () => client.destroy())
    void tunnel(options, request.url ?? '', client, head)
  })
  server.on('clientError', (_error, socket) => socket.destroy())
  server.listen(path)
  await once(server, 'listening')
  // The folder around it is what keeps others out.
  await chmod(path, 0o666)
  return server
}

async function tunnel(
  options: EgressOptions,
  authority: string,
  client: Socket,
  head: Buffer,
): Promise<void> {
  const [, host = '', port = ''] = /^\[?([^\]]*?)\]?:(\d+)$/.exec(authority) ?? []
  const decision = await judge(options, host, Number(port))
  if (!decision.allowed) return void client.end(`HTTP/1.1 403 Forbidden\r\n${plain(decision.reason)}`)
  const upstream = connect({ host: decision.address, port: Number(port), timeout: connectTimeoutMs })
  const fail = (error: Error) => client.end(`HTTP/1.1 502 Bad Gateway\r\n${plain(error.message)}`)
  upstream.once('error', fail)
  upstream.once('timeout', () => upstream.destroy(new Error(`${authority} doesn't answer`)))
  client.once('close', () => upstream.destroy())
  upstream.once('connect', () => {
    upstream.setTimeout(0)
    upstream.off('error', fail)
    upstream.on('error', () => client.destroy())
    upstream.once('close', () => client.destroy())
    client.write('HTTP/1.1 200 Connection established\r\n\r\n')
    if (head.length > 0) upstream.write(head)
    client.pipe(upstream)
    upstream.pipe(client)
  })
}

async function forward(
  options: EgressOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = absolute(request.url)
  if (!url) return answer(response, 400, 'this is a proxy: send absolute http:// URLs, or CONNECT')
  const port = Number(url.port || 80)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const decision = await judge(options, host, port)
  if (!decision.allowed) return answer(response, 403, decision.reason)
  const headers = request.rawHeaders.filter(
    (_, i, raw) => !/^(proxy-.*|connection|keep-alive)$/i.test(raw[i - (i % 2)]!),
  )
  const outgoing = httpRequest({
    host: decision.address,
    port,
    method: request.method,
    path: url.pathname + url.search,
    headers,
    agent: false,
  })
  outgoing.on('response', (upstream) => {
    response.writeHead(upstream.statusCode ?? 502, upstream.statusMessage, upstream.rawHeaders)
    upstream.pipe(response)
    upstream.on('error', () => response.destroy())
  })
  outgoing.on('error', (error) =>
    response.headersSent ? response.destroy() : answer(response, 502, error.message),
  )
  response.on('close', () => outgoing.destroy())
  request.pipe(outgoing)
}

async function judge(options: EgressOptions, host: string, port: number): Promise<EgressDecision> {
  const addresses = isIP(host) ? [host] : await resolve(host)
  const decision = decide(options.policy(), { host, port, addresses }, options.hostLoopback)
  if (!decision.allowed) options.onRefused(host, port, decision.reason)
  return decision
}

async function resolve(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true }).catch(() => [])
  return found.map(({ address }) => address)
}

function absolute(url: string | undefined): URL | undefined {
  try {
    const parsed = new URL(url ?? '')
    return parsed.protocol === 'http:' ? parsed : undefined
  } catch {
    return undefined
  }
}

function answer(response: ServerResponse, status: number, reason: string): void {
  response
    .writeHead(status, { 'content-type': 'text/plain', connection: 'close' })
    .end(`holdfast egress proxy: ${reason}\n`)
}

function plain(reason: string): string {
  const body = `holdfast egress proxy: ${reason}\n`
  return `content-type: text/plain\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
}
