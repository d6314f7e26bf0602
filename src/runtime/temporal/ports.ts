import { createServer } from 'node:net'
import { once } from 'node:events'

const LOOPBACK = '127.0.0.1'

/**
 * The first of the preferred loopback TCP ports that is free now, else any free one.
 *
 * @throws Error where no port at all is free
 */
export async function freePort(...preferred: number[]): Promise<number> {
  for (const port of [...preferred, 0]) {
    const free = await listenBriefly(port)
    if (free !== undefined) return free
  }
  throw new Error('no free TCP port on 127.0.0.1: close some programs and try again')
}

async function listenBriefly(port: number): Promise<number | undefined> {
  const server = createServer()
  try {
    server.listen(port, LOOPBACK)
    await once(server, 'listening')
  } catch {
    return undefined
  }
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : undefined
}
