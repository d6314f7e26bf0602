import type { IncomingMessage, ServerResponse } from 'node:http'
import { HttpError, sendJson } from '../http.ts'
import { endIn } from '../sandboxes/record.ts'
import type { Registry } from '../sandboxes/registry.ts'
import type { Templates } from '../templates/templates.ts'
import { check, readBody } from './body.ts'
import { checkNetwork, checkTimeout, defaultSeconds, parseCreate } from './create.ts'
import { listPage } from './listing.ts'
import {
  connectBody,
  listQuery,
  networkBody,
  newSandbox,
  pauseBody,
  refreshBody,
  timeoutBody,
} from './schemas.ts'
import { toDetail, toListed, toSandbox } from './shapes.ts'

export interface Call {
  request: IncomingMessage
  response: ServerResponse
  query: URLSearchParams
  /** Sandbox id of the path. */
  id: string
  /** Named parts of the path. */
  params: Record<string, string | undefined>
}

export type Routes = Record<string, (call: Call) => Promise<void>>

const defaultSecondsOfOldPath = 15
const minRefreshSeconds = 15

/** Sandboxes and what happens to them, `METHOD path` to what it does. */
export function controlRoutes(registry: Registry, templates: Templates): Routes {
  const create = async ({ request, response }: Call, defaultTimeout: number) => {
    const body = await readBody(request, newSandbox)
    const origin = await templates.spawn(body.templateID)
    sendJson(
      response,
      201,
      toSandbox(await registry.create(parseCreate(body, defaultTimeout, origin), origin.disk)),
    )
  }

  const connect = async ({ request, response, id }: Call) => {
    const { timeout, memory } = await readBody(request, connectBody)
    const resumed = await registry.get(id).connect(checkTimeout(timeout ?? defaultSeconds), memory)
    sendJson(response, resumed ? 201 : 200, toSandbox(registry.get(id)))
  }

  const list = async ({ response, query }: Call, paging: { limit?: number } = {}) => {
    const sandboxes = registry
      .all()
      .map((sandbox) => ({ ...toListed(sandbox), metadata: sandbox.record.metadata }))
    const page = listPage(sandboxes, { ...check(listQuery, Object.fromEntries(query)), ...paging })
    if (page.nextToken) response.setHeader('x-next-token', page.nextToken)
    response.setHeader('x-total-running', page.totalRunning)
    sendJson(response, 200, page.items)
  }

  return {
    'POST /v2/sandboxes': (call) => create(call, defaultSeconds),
    'POST /sandboxes': (call) => create(call, defaultSecondsOfOldPath),
    'GET /v2/sandboxes': (call) => list(call),
    'GET /sandboxes': (call) => {
      const query = new URLSearchParams({ metadata: call.query.get('metadata') ?? '', state: 'running' })
      return list({ ...call, query }, { limit: Infinity })
    },

    'GET /sandboxes/:id': async ({ response, id }) => sendJson(response, 200, toDetail(registry.get(id))),

    'DELETE /sandboxes/:id': async ({ response, id }) => {
      await registry.get(id).kill()
      response.writeHead(204).end()
    },

    'POST /v2/sandboxes/:id/connect': connect,
    'POST /sandboxes/:id/connect': connect,

    'POST /sandboxes/:id/resume': async ({ request, response, id }) => {
      const { timeout, memory } = await readBody(request, connectBody)
      const sandbox = registry.get(id)
      if (sandbox.state === 'running') throw new HttpError(409, `sandbox ${id} is already running`)
      await sandbox.connect(checkTimeout(timeout ?? defaultSecondsOfOldPath), memory)
      sendJson(response, 201, toSandbox(sandbox))
    },

    'POST /sandboxes/:id/pause': async ({ request, response, id }) => {
      const { memory } = await readBody(request, pauseBody)
      await registry.get(id).pause(memory ?? true)
      response.writeHead(204).end()
    },

    'POST /sandboxes/:id/timeout': async ({ request, response, id }) => {
      const { timeout } = await readBody(request, timeoutBody)
      // 0 ends the time now, which is how clients force what a timeout does.
      await registry.get(id).setTimeout(checkTimeout(timeout, 0))
      response.writeHead(204).end()
    },

    'POST /sandboxes/:id/refreshes': async ({ request, response, id }) => {
      const { duration = minRefreshSeconds } = await readBody(request, refreshBody)
      const sandbox = registry.get(id)
      const seconds = checkTimeout(Math.max(duration, minRefreshSeconds))
      if (sandbox.state === 'running' && endIn(seconds) > sandbox.record.endAt)
        await sandbox.setTimeout(seconds)
      response.writeHead(204).end()
    },

    'PUT /sandboxes/:id/network': async ({ request, response, id }) => {
      const { allow_internet_access: allowInternetAccess, ...egress } = await readBody(request, networkBody)
      const sandbox = registry.get(id)
      const { allowPublicTraffic, maskRequestHost, httpsPorts } = sandbox.record.network
      const network = { allowPublicTraffic, maskRequestHost, httpsPorts, ...egress }
      checkNetwork({ allowInternetAccess, network })
      await sandbox.setEgress({ allowInternetAccess, network })
      response.writeHead(204).end()
    },
  }
}
