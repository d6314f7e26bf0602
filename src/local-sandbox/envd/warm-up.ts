import { once } from 'node:events'
import { createServer, request, type RequestListener } from 'node:http'

/** Asks a handler something over a socket of its own. The first request takes 30 ms of loading, whoever makes it. */
export async function warmUp(handler: RequestListener, path: string): Promise<void> {
  // Not a TCP port, which might be the one that somebody in the sandbox is about to take.
  const socketPath = `\0holdfast-envd-warm-up-${process.pid}`
  const server = createServer(handler).listen(socketPath)
  try {
    await once(server, 'listening')
    const headers = { 'content-type': 'application/json', connection: 'close' }
    const asked = request({ socketPath, method: 'POST', path, headers }).end('{}')
    const [answer] = await once(asked, 'response')
    await once(answer.resume(), 'end')
  } finally {
    server.close()
  }
}
