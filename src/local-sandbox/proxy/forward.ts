import {
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import { HttpError } from '../http.ts'
import type { Machine } from '../sandboxes/machine.ts'

const hopByHop =
  /^(connection|keep-alive|proxy-connection|proxy-authenticate|proxy-authorization|te|trailer|upgrade)$/i

/**
 * Sends a request on and its answer back, streaming both. Names of headers keep their case, `drop` names those that
 * stay here. Before the answer begins failures go to `onError`; after that the client's connection is cut.
 */
export function forward(
  request: IncomingMessage,
  response: ServerResponse,
  upstream: RequestOptions,
  drop: RegExp,
  onError: (error: Error) => void,
): void {
  const outgoing = httpRequest({
    ...upstream,
    method: request.method,
    path: request.url,
    headers: headersWithout(request.rawHeaders, drop),
    setHost: false,
  })
  outgoing.on('response', (answer) => {
    response.writeHead(
      answer.statusCode ?? 502,
      answer.statusMessage,
      headersWithout(answer.rawHeaders, hopByHop),
    )
    // Streams of events have a head long before their first byte.
    response.flushHeaders()
    answer.pipe(response)
    answer.on('error', () => request.socket.resetAndDestroy())
  })
  outgoing.on('error', (error) => {
    if (response.destroyed || request.socket.destroyed) return
    if (response.headersSent) request.socket.resetAndDestroy()
    else onError(error)
  })
  response.on('close', () => outgoing.destroy())
  request.pipe(outgoing)
}

/** A raw connection to a port in the sandbox. Throws where nothing listens there. */
export function connectPort(machine: Machine, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    httpRequest({
      socketPath: machine.socketPath,
      method: 'CONNECT',
      path: `localhost:${port}`,
      agent: false,
    })
      .on('connect', (answer, socket) => {
        if (answer.statusCode === 200) return resolve(socket)
        socket.destroy()
        reject(new HttpError(502, 'The sandbox is running but port is not open'))
      })
      .on('error', reject)
      .end()
  })
}

/** The head of a request as it came, for a raw connection. `host` replaces Host where given. */
export function rawHead(request: IncomingMessage, host: string | undefined): string {
  const lines = Array.from({ length: request.rawHeaders.length / 2 }, (_, i) => {
    const [name, value] = [request.rawHeaders[2 * i]!, request.rawHeaders[2 * i + 1]!]
    return `${name}: ${host !== undefined && name.toLowerCase() === 'host' ? host : value}`
  })
  return `${request.method} ${request.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
}

function headersWithout(raw: string[], drop: RegExp): string[] {
  return raw.filter((_, i) => {
    const name = raw[i - (i % 2)]!
    return !hopByHop.test(name) && !drop.test(name)
  })
}
