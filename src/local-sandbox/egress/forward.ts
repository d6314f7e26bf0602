import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { passOn } from '../http.ts'
import { withHeaders } from './header-rules.ts'

// Of this hop only; Expect was answered by our own side, and Host follows the URL.
const dropped = /^(proxy-.*|connection|keep-alive|expect|host)$/i

const framing = /^(transfer-encoding|trailer|connection|keep-alive)$/i

/** Sends a request on over `socket` and its answer back, streaming both. `headers` replace what the client sent. */
export function forward(
  request: IncomingMessage,
  response: ServerResponse,
  {
    socket,
    host,
    path,
    headers,
  }: { socket: Socket; host: string; path: string; headers: Record<string, string> },
): void {
  const kept = request.rawHeaders.filter((_, i, raw) => !dropped.test(raw[i - (i % 2)]!))
  const outgoing = httpRequest({
    createConnection: () => socket,
    method: request.method,
    path,
    headers: ['Host', host, ...withHeaders(kept, headers)],
  })
  outgoing.on('response', (upstream) => {
    // How an answer is framed depends on the client: one of HTTP/1.0 knows no chunks.
    const answered = upstream.rawHeaders.filter((_, i, raw) => !framing.test(raw[i - (i % 2)]!))
    passOn(outgoing, upstream, response, answered, () => response.destroy())
  })
  outgoing.on('error', (error) =>
    response.headersSent ? response.destroy() : refuse(response, 502, error.message),
  )
  response.on('close', () => outgoing.destroy())
  request.pipe(outgoing)
}

/** Answers in the proxy's own name. */
export function refuse(response: ServerResponse, status: number, reason: string): void {
  response
    .writeHead(status, { 'content-type': 'text/plain', connection: 'close' })
    .end(`holdfast egress proxy: ${reason}\n`)
}
