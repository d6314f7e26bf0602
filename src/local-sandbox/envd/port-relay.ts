import type { Server } from 'node:http'
import { connect, type Socket } from 'node:net'

const loopbacks = ['127.0.0.1', '::1']

/** A connection to whatever listens on a loopback port here; undefined where nothing does. */
export async function connectLoopback(port: number, signal?: AbortSignal): Promise<Socket | undefined> {
  for (const host of loopbacks) {
    const socket = await new Promise<Socket | undefined>((resolve) => {
      const attempt = connect({ host, port, ...(signal ? { signal } : {}) })
      attempt.once('connect', () => resolve(attempt))
      attempt.once('error', () => resolve(undefined))
    })
    if (socket) return socket
  }
  return undefined
}

/**
 * `CONNECT localhost:<port>` on envd's socket becomes a raw connection to that port in the sandbox; 502 where closed.
 * `own` serves a port of ours, where it answers true.
 */
export function serveUserPorts(
  server: Server,
  own: (port: number, client: Socket, head: Buffer) => boolean,
): void {
  server.on('connect', (request, client: Socket, head: Buffer) => {
    client.on('error', () => client.destroy())
    const port = Number(/:(\d+)$/.exec(request.url ?? '')?.[1])
    if (own(port, client, head)) return
    void connectLoopback(port).then((upstream) => {
      if (!upstream) return void client.end('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n')
      client.write('HTTP/1.1 200 OK\r\n\r\n')
      join(client, upstream, head)
    })
  })
}

/** Pipes both ways, half-closes included; an error on either side ends both. */
export function join(a: Socket, b: Socket, head: Buffer): void {
  a.on('error', () => b.destroy())
  b.on('error', () => a.destroy())
  a.once('close', () => b.destroy())
  b.once('close', () => a.destroy())
  if (head.length > 0) b.write(head)
  a.pipe(b)
  b.pipe(a)
}
