import { createServer, type Server } from 'node:http'

export interface HealthAddress {
  host: string
  /** 0 takes a free one. */
  port: number
}

/**
 * Answers `GET /health`: 200 while `state()` is RUNNING, otherwise 503, each with `{ state, taskQueue }`.
 *
 * @throws what node says where it can't listen there
 */
export async function serveHealth(
  { host, port }: HealthAddress,
  taskQueue: string,
  state: () => string,
): Promise<Server> {
  const server = createServer((request, response) => {
    const found = request.url === '/health'
    const now = state()
    response.writeHead(found ? (now === 'RUNNING' ? 200 : 503) : 404, { 'content-type': 'application/json' })
    response.end(JSON.stringify(found ? { state: now, taskQueue } : { message: 'ask for /health' }))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve)
  })
  return server
}
