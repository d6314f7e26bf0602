import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
} from 'node:http'
import { connect, isIP, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'
import { passOn } from '../http.ts'
import { connectLoopback, join } from './port-relay.ts'

/**
 * The HTTP proxy that programs in the sandbox are pointed at by `HTTP_PROXY` and friends. Their own loopback they reach
 * here, everything else goes to the host's egress proxy, which decides. Nothing is decided here: a program that talks to
 * the egress socket itself gets the same answers.
 * Resolves to the URL it listens on.
 */
export async function startEgressRelay(port: number, egressSocket: string): Promise<string> {
  const server = createServer((request, response) => void relayRequest(egressSocket, request, response))
  server.requestTimeout = 0
  server.headersTimeout = 0
  server.on('connect', (request, client: Socket, head: Buffer) => {
    client.on('error', () => client.destroy())
    void relayConnect(egressSocket, request.url ?? '', client, head)
  })
  server.on('clientError', (_error, socket) => socket.destroy())
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function relayConnect(
  egressSocket: string,
  authority: string,
  client: Socket,
  head: Buffer,
): Promise<void> {
  const local = await localConnection(authority)
  if (local) {
    client.write('HTTP/1.1 200 Connection established\r\n\r\n')
    return join(client, local, head)
  }
  const upstream = connect(egressSocket)
  upstream.write(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n\r\n`)
  join(client, upstream, head)
}

async function relayRequest(
  egressSocket: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const target = parse(request.url)
  if (!target) return void response.writeHead(400).end('this is a proxy: send absolute URLs\n')
  const local = await localConnection(`${target.hostname}:${target.port || 80}`)
  const options: RequestOptions = {
    ...(local ? { createConnection: () => local } : { socketPath: egressSocket, agent: false }),
    method: request.method,
    path: local ? target.pathname + target.search : request.url,
    headers: endToEnd(request.rawHeaders, ofRequest),
  }
  const outgoing = httpRequest(options)
  outgoing.on('response', (answer) => {
    passOn(outgoing, answer, response, endToEnd(answer.rawHeaders, ofAnswer), () => response.destroy())
  })
  outgoing.on('error', (error) => {
    if (response.headersSent) response.destroy()
    else response.writeHead(502).end(`${error.message}\n`)
  })
  response.on('close', () => outgoing.destroy())
  request.pipe(outgoing)
}

/** Loopback is first of all the sandbox's own. */
async function localConnection(authority: string): Promise<Socket | undefined> {
  const [, host = '', port] = /^\[?(.*?)\]?:(\d+)$/.exec(authority) ?? []
  const loopback = host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
  return loopback ? connectLoopback(Number(port)) : undefined
}

function parse(url: string | undefined): URL | undefined {
  try {
    return new URL(url ?? '')
  } catch {
    return undefined
  }
}

// A program of HTTP/1.0 knows no chunks, so each hop frames its answers itself.
const ofAnswer = /^(transfer-encoding|trailer|connection|keep-alive)$/i
const ofRequest = /^(proxy-connection|proxy-authorization|keep-alive)$/i

/** Headers as they came, minus those that belong to one hop. */
function endToEnd(raw: string[], hop: RegExp): string[] {
  return raw.filter((_, i) => !hop.test(raw[i - (i % 2)]!))
}
