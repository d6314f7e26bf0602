import { once } from 'node:events'
import { createServer, request, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Asks a handler something over a socket of its own. The first request takes 30 ms of loading, whoever makes it. */
export async function warmUp(handler: RequestListener, path: string): Promise<void> {
  const server = createServer(handler).listen(0, '127.0.0.1')
  try {
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const headers = { 'content-type': 'application/json', connection: 'close' }
    const asked = request({ host: '127.0.0.1', port, method: 'POST', path, headers }).end('{}')
    const [answer] = await once(asked, 'response')
    await once(answer.resume(), 'end')
  } finally {
    server.close()
  }
}
