import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import { HttpError, sendError, sendJson } from '../http.ts'
import { equal } from '../proxy/envd-auth.ts'
import type { Routes } from './routes.ts'

export interface ControlOptions {
  routes: Routes
  apiKey: string
  /** Told by `/health`. */
  health: Record<string, unknown>
  log: Logger
}

/** Answers a control call: finds its route, checks the key, turns errors into `{code, message}`. */
export async function handleControl(
  options: ControlOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://server')
  try {
    if (request.method === 'GET' && url.pathname === '/health')
      return sendJson(response, 200, { status: 'ok', ...options.health })
    const key = request.headers['x-api-key']
    if (typeof key !== 'string' || !equal(key, options.apiKey))
      throw new HttpError(
        401,
        `X-API-Key: is ${key === undefined ? 'missing' : 'wrong'}; send the key this server was started with`,
      )
    const { route, id } = match(request.method ?? '', url.pathname)
    const handler = options.routes[route]
    if (!handler) throw new HttpError(404, `${request.method} ${url.pathname}: is not offered by this server`)
    await handler({ request, response, query: url.searchParams, id })
  } catch (error) {
    if (!(error instanceof HttpError))
      options.log.error({ error, method: request.method, path: url.pathname }, 'control call failed')
    sendError(response, error)
  }
}

/** The route of a path, and the sandbox id in it, cut at a dash as the platform does. */
export function match(method: string, path: string): { route: string; id: string } {
  const found = /^(.*\/sandboxes)\/([^/]+)(\/.*)?$/.exec(path)
  if (!found) return { route: `${method} ${path}`, id: '' }
  const [, before, given = '', after = ''] = found
  const [id = '', ...suffixes] = given.split('-')
  if (suffixes.length > 1 || !/^[a-z0-9]+$/.test(id))
    throw new HttpError(400, `sandboxID: '${given}' is malformed; send the id that create answered`)
  return { route: `${method} ${before}/:id${after}`, id }
}
