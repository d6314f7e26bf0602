import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { isIP, type AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import { withFaults } from './faults/apply.ts'
import type { ArmedFaults } from './faults/armed.ts'
import { faultRoutes } from './faults/routes.ts'
import { sendJson } from './http.ts'
import { classify, type Destination } from './proxy/classify.ts'
import { SandboxProxy } from './proxy/sandbox-proxy.ts'
import { createControl } from './rest/control.ts'
import { buildRoutes } from './rest/build-routes.ts'
import { observationRoutes } from './rest/observation-routes.ts'
import { controlRoutes } from './rest/routes.ts'
import { snapshotRoutes } from './rest/snapshot-routes.ts'
import { templateRoutes } from './rest/template-routes.ts'
import type { Copies } from './sandboxes/provide-disks.ts'
import type { Registry } from './sandboxes/registry.ts'
import { Builder } from './templates/builder.ts'
import type { Templates } from './templates/templates.ts'

export interface ServerOptions {
  registry: Registry
  templates: Templates
  apiKey: string
  isolation: string
  limits: string
  copies: Copies
  /** Address to listen at. */
  host: string
  port: number
  log: Logger
  /** Undefined unless the server was started for it. */
  faults: ArmedFaults | undefined
}

// Clients pool connections, and fail when a server drops an idle one first. envd's own figure.
const keepAliveMs = 640_000

/** The one HTTP port: control API, envd and user ports. Throws with the remedy where it can't listen there. */
export async function startServer(options: ServerOptions): Promise<{ server: Server; url: string }> {
  const { registry, log, apiKey, isolation, limits, copies, faults } = options
  const proxy = new SandboxProxy(registry)
  const { templates } = options
  const routes = {
    ...controlRoutes(registry, templates),
    ...snapshotRoutes(registry, templates, log),
    ...templateRoutes(registry, templates),
    ...buildRoutes(new Builder(registry, templates), templates, apiKey),
    ...observationRoutes(registry),
    ...faultRoutes(faults),
  }
  const health = () => ({
    isolation,
    limits,
    root: registry.root,
    diskMB: registry.limits.diskMB,
    snapshots: 'disk',
    copies,
    faults: faults && 'on',
    startedAhead: registry.startedAhead,
  })
  const control = createControl({ routes, apiKey, health, log })
  const server = createServer({ keepAliveTimeout: keepAliveMs, requestTimeout: 0, headersTimeout: 0 })

  const answer = (destination: Destination, request: IncomingMessage, response: ServerResponse) => {
    switch (destination.kind) {
      case 'control':
        return void control(request, response)
      case 'sandbox':
        return void proxy.handle(destination.sandboxId, destination.port, request, response)
      case 'signed-file':
        return void proxy.handleSigned(destination.url, request, response)
      case 'bad':
        return sendJson(response, 400, { code: 400, message: destination.message })
    }
  }
  server.on('request', (request, response) => {
    const destination = classify(request.method ?? '', request.url ?? '/', request.headers)
    const next = () => answer(destination, request, response)
    if (faults) void withFaults({ faults, registry, log }, destination, request, response, next)
    else next()
  })
  server.on('upgrade', (request, client, head) => {
    // Node has taken its own listener away by now.
    client.on('error', () => client.destroy())
    const destination = classify(request.method ?? '', request.url ?? '/', request.headers)
    if (destination.kind === 'sandbox')
      return void proxy.upgrade(destination.sandboxId, destination.port, request, client, head)
    client.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
  })

  const { host } = options
  server.listen(options.port, host)
  await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE')
      throw new Error(`--port: ${options.port} is taken on ${host}; give another one, or 0 for any free one`)
    if (error.code === 'EADDRNOTAVAIL')
      throw new Error(
        `--host: ${host} is no address of this machine; give one of its own, or 0.0.0.0 for all`,
      )
    throw error
  })
  return { server, url: `http://${reachable(host)}:${(server.address() as AddressInfo).port}` }
}

/** What a client on this machine puts in a URL for the address that a server listens at. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (isIP(host) === 4) return host
  return host === '::' ? '[::1]' : `[${host}]`
}
