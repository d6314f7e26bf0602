import type { IncomingMessage, ServerResponse } from 'node:http'
import createRouter, { type HTTPMethod } from 'find-my-way'
import type { Logger } from 'pino'
import { HttpError, sendError, sendJson } from '../http.ts'
import { equal } from '../proxy/envd-auth.ts'
import type { Call, Routes } from './routes.ts'

export interface ControlOptions {
  routes: Routes
  apiKey: string
  /** Told by `/health`. */
  health: () => Record<string, unknown>
  log: Logger
}

/** Answers control calls: finds the route, checks the key, turns errors into `{code, message}`. */
export function createControl(
  options: ControlOptions,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const find = router(options.routes)
  return async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://server')
    try {
      if (request.method === 'GET' && url.pathname === '/health')
        return sendJson(response, 200, { status: 'ok', ...options.health() })
      const key = request.headers['x-api-key']
      if (typeof key !== 'string' || !equal(key, options.apiKey))
        throw new HttpError(
          401,
          `X-API-Key: is ${key === undefined ? 'missing' : 'wrong'}; send the key this server was started with`,
        )
      const { handler, ...found } = find(request.method ?? '', url.pathname)
      await handler({ request, response, query: url.searchParams, ...found })
    } catch (error) {
      if (error instanceof HttpError) return sendError(response, error)
      options.log.error({ error, method: request.method, path: url.pathname }, 'control call failed')
      // Whatever its code: of a file that we miss clients would make a sandbox that isn't there.
      sendError(response, new HttpError(500, (error as Error).message))
    }
  }
}

/** Finds the route of a path, or throws HttpError 404. `:id` in a path is a sandbox's, cut at a dash as the platform does. */
function router(routes: Routes) {
  const handlers = createRouter()
  for (const [route, handler] of Object.entries(routes)) {
    const [method = '', path = ''] = route.split(' ')
    handlers.on(method as HTTPMethod, path, () => undefined, handler)
  }
  return (method: string, path: string): Pick<Call, 'id' | 'params'> & { handler: Routes[string] } => {
    const found = handlers.find(method as HTTPMethod, path)
    if (!found) throw new HttpError(404, `${method} ${path}: is not offered by this server`)
    const { params, store } = found
    const id = params['id'] === undefined ? '' : sandboxId(params['id'])
    return { handler: store as Routes[string], params, id }
  }
}

function sandboxId(given: string): string {
  const [id = '', ...suffixes] = given.split('-')
  if (suffixes.length > 1 || !/^[a-z0-9]+$/.test(id))
    throw new HttpError(400, `sandboxID: '${given}' is malformed; send the id that create answered`)
  return id
}
