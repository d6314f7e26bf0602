import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { HttpError, sendError, sendJson } from '../http.ts'
import type { Registry } from '../sandboxes/registry.ts'
import type { Sandbox } from '../sandboxes/sandbox.ts'
import { envdPort } from './classify.ts'
import { authorize, equal, isSignedBy } from './envd-auth.ts'
import { connectPort, forward, isOver, rawHead } from './forward.ts'

/** Traffic for sandboxes: to their envd, or to a port of theirs. */
export class SandboxProxy {
  #registry: Registry

  constructor(registry: Registry) {
    this.#registry = registry
  }

  async handle(
    sandboxId: string,
    port: number,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    try {
      const sandbox = await this.#admitted(sandboxId)
      if (isOver(request, response)) return
      if (!sandbox) return this.#unavailable(response, sandboxId)
      // In the middle of an answer clients must see a reset: a plain end reads as another error in some.
      const untrack = sandbox.track(() => {
        if (response.headersSent || !request.complete) request.socket.resetAndDestroy()
        else this.#unavailable(response, sandboxId)
      })
      response.once('close', untrack)
      if (port === envdPort) {
        authorize(
          request.method ?? '',
          new URL(request.url ?? '/', 'http://envd'),
          request.headers,
          sandbox.record.envdAccessToken,
        )
        const { agent, socketPath } = sandbox.machine
        return forward(request, response, { agent, socketPath }, portHeaders(sandbox, port, request), () =>
          this.#unavailable(response, sandboxId),
        )
      }
      this.#checkTraffic(sandbox, request)
      const socket = await connectPort(sandbox.machine, port, speaksTls(sandbox, port))
      if (isOver(request, response)) return void socket.destroy()
      const headers = portHeaders(sandbox, port, request)
      forward(request, response, { createConnection: () => socket }, headers, ({ message }) =>
        sendJson(response, 502, { sandboxId, message, port, code: 502 }),
      )
    } catch (error) {
      if (isOver(request, response)) return
      const status = error instanceof HttpError ? error.status : 502
      if (port === envdPort && status !== 502) return sendError(response, error)
      sendJson(response, status, { sandboxId, message: (error as Error).message, port, code: status })
    }
  }

  /** A signed file URL: goes to the sandbox whose token signed it. */
  async handleSigned(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? ''
    const signer = this.#registry.all().find(({ record }) => isSignedBy(method, url, record.envdAccessToken))
    if (!signer) return sendError(response, new HttpError(401, 'invalid signature'))
    return this.handle(signer.id, envdPort, request, response)
  }

  /** An upgrade (websocket) to a port of a sandbox; the client's errors are listened to already. */
  async upgrade(
    sandboxId: string,
    port: number,
    request: IncomingMessage,
    client: Duplex,
    head: Buffer,
  ): Promise<void> {
    try {
      const sandbox = await this.#admitted(sandboxId)
      if (!sandbox || port === envdPort) throw new HttpError(502, 'The sandbox was not found')
      this.#checkTraffic(sandbox, request)
      if (client.destroyed) return
      client.once(
        'close',
        sandbox.track(() => request.socket.resetAndDestroy()),
      )
      const upstream = await connectPort(sandbox.machine, port, speaksTls(sandbox, port))
      upstream.on('error', () => client.destroy())
      if (client.destroyed) return void upstream.destroy()
      upstream.once('close', () => client.destroy())
      client.once('close', () => upstream.destroy())
      upstream.write(rawHead(request, portHeaders(sandbox, port, request)))
      if (head.length > 0) upstream.write(head)
      client.pipe(upstream)
      upstream.pipe(client)
    } catch (error) {
      const status = error instanceof HttpError ? error.status : 502
      const body = JSON.stringify({ sandboxId, message: (error as Error).message, port, code: status })
      client.end(
        `HTTP/1.1 ${status} Error\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      )
    }
  }

  async #admitted(sandboxId: string): Promise<Sandbox | undefined> {
    const sandbox = this.#registry.find(sandboxId)
    return sandbox && (await sandbox.admit()) ? sandbox : undefined
  }

  #unavailable(response: ServerResponse, sandboxId: string): void {
    sendJson(response, 502, {
      sandboxId,
      message: 'The sandbox was not found',
      code: 502,
    })
  }

  #checkTraffic({ record }: Sandbox, request: IncomingMessage): void {
    if (record.trafficAccessToken === undefined) return
    const sent = request.headers['e2b-traffic-access-token']
    if (typeof sent !== 'string' || !equal(sent, record.trafficAccessToken))
      throw new HttpError(403, 'e2b-traffic-access-token: is missing or wrong')
  }
}

const speaksTls = ({ record }: Sandbox, port: number): boolean =>
  record.network.httpsPorts?.includes(port) ?? false

/** A request's headers as a port gets them: without credentials that are ours to check, and with the host it wants. */
function portHeaders({ record }: Sandbox, port: number, { rawHeaders }: IncomingMessage): string[] {
  const mask = record.network.maskRequestHost?.replaceAll('${PORT}', String(port))
  const host = port === envdPort ? undefined : mask
  return rawHeaders.flatMap((name, i) => {
    if (i % 2 === 1) return []
    const [key, value] = [name.toLowerCase(), rawHeaders[i + 1]!]
    // A program on a port may have an X-Access-Token of its own.
    const ours =
      key === 'e2b-traffic-access-token' || (key === 'x-access-token' && equal(value, record.envdAccessToken))
    if (ours) return []
    return [name, key === 'host' && host !== undefined ? host : value]
  })
}
