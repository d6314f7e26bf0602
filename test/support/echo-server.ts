import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A plain HTTP server of this host that answers what it was sent: method, headers, length of the body. */
export async function startEchoServer() {
  const server = createServer((request, response) => {
    let bytes = 0
    request.on('data', (chunk: Buffer) => (bytes += chunk.length))
    request.on('end', () => {
      // `/open` never ends.
      if (request.url === '/open') return void response.write('begun\n')
      response.end(JSON.stringify({ method: request.method, headers: request.headers, bytes }))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
