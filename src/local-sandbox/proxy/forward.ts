import {
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { HttpError, passOn } from '../http.ts'
import type { Machine } from '../sandboxes/machine.ts'

const hopByHop =
  /^(connection|keep-alive|proxy-connection|proxy-authenticate|proxy-authorization|te|trailer|upgrade)$/i
// How an answer is framed depends on the client: one of HTTP/1.0 knows no chunks.
const ofAnswer = new RegExp(`${hopByHop.source}|^transfer-encoding$`, 'i')

/**
 * Sends a request on with `headers`, and its answer back, streaming both. Names of headers keep their case. Before the answer begins failures go to `onError`; after that the client's connection is cut.
 */
export function forward(
  request: IncomingMessage,
  response: ServerResponse,
  upstream: RequestOptions,
  headers: string[],
  onError: (error: Error) => void,
): void {
  const outgoing = httpRequest({
    ...upstream,
    method: request.method,
    path: request.url,
    headers: headersWithout(headers, hopByHop),
    setHost: false,
  })
  outgoing.on('response', (answer) => {
    const headers = headersWithout(answer.rawHeaders, ofAnswer)
    passOn(outgoing, answer, response, headers, () => request.socket.resetAndDestroy())
  })
  outgoing.on('error', (error) => {
    if (isOver(request, response)) return
    if (response.headersSent) request.socket.resetAndDestroy()
    else onError(error)
  })
  response.on('close', () => outgoing.destroy())
  request.pipe(outgoing)
}

/** Whether nobody waits for an answer any more: a pause or kill has given one or cut the client off, or it has left. */
export const isOver = ({ socket }: IncomingMessage, response: ServerResponse): boolean =>
  response.writableEnded || response.destroyed || socket.destroyed

/** A connection to a port in the sandbox, over TLS where it speaks that. Throws where nothing listens there. */
export async function connectPort(machine: Machine, port: number, https: boolean): Promise<Socket> {
  const socket = await rawConnection(machine, port)
  // Its certificate proves nothing: the way to the sandbox is what's trusted.
  return https ? tlsConnect({ socket, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] }) : socket
}

function rawConnection(machine: Machine, port: number): Promise<Socket> {
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

/** The head of a request, for a raw connection. */
export function rawHead(request: IncomingMessage, headers: string[]): string {
  const lines = headers.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${headers[i + 1]}`] : []))
  return `${request.method} ${request.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
}

function headersWithout(raw: string[], drop: RegExp): string[] {
  return raw.filter((_, i) => {
    const name = raw[i - (i % 2)]!
    return !hopByHop.test(name) && !drop.test(name)
  })
}
