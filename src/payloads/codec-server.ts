import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { ApplicationFailure, type Payload } from '@temporalio/common'
import protocol from '@temporalio/proto'

const MAX_BODY = 16 * 1024 * 1024

const proto = protocol.temporal.api.common.v1.Payloads

type Transform = (payloads: Payload[]) => Promise<Payload[]>

export interface CodecServerOptions {
  /** What `POST /encode` and `POST /decode` do. */
  encode: Transform
  decode: Transform
  /** Asked of every caller: `Authorization: Bearer TOKEN`, or as the password of Basic, which browsers can ask people for. */
  token: string
  /** Where pages may ask from, such as the Temporal UI's `http://localhost:8233`. */
  origins: string[]
}

/** Temporal's codec server protocol: its UI and CLI send payloads as they stand in the history, and get them readable. */
export function codecServer(options: CodecServerOptions): Server {
  return createServer((request, response) => {
    allowOrigin(request, response, options.origins)
    answer(request, options).then(
      ({ status, body, headers }) =>
        response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body),
      (error: unknown) =>
        response.writeHead(error instanceof ApplicationFailure ? 422 : 400).end(messageOf(error)),
    )
  })
}

const messageOf = (error: unknown): string =>
  JSON.stringify({ message: error instanceof Error ? error.message : String(error) })

interface Answer {
  status: number
  body?: string
  headers?: Record<string, string>
}

async function answer(request: IncomingMessage, options: CodecServerOptions): Promise<Answer> {
  const { pathname } = new URL(request.url ?? '/', 'http://codec')
  // A browser's question whether it may ask: it has no credentials yet.
  if (request.method === 'OPTIONS') return { status: 204 }
  if (!authorised(request, options.token))
    return {
      status: 401,
      body: messageOf('the token is missing or wrong: send Authorization: Bearer TOKEN'),
      headers: { 'www-authenticate': 'Basic realm="Holdfast codec server", charset="UTF-8"' },
    }
  const transform =
    request.method === 'POST' && { '/encode': options.encode, '/decode': options.decode }[pathname]
  if (transform) return { status: 200, body: await transformed(request, transform) }
  return pathname === '/'
    ? { status: 200, body: messageOf('this browser is known now: go back to the Temporal UI') }
    : { status: 404, body: messageOf('ask for POST /decode or POST /encode') }
}

async function transformed(request: IncomingMessage, transform: Transform): Promise<string> {
  const { payloads } = proto.fromObject(JSON.parse(await bodyOf(request)) as object)
  const result = proto.fromObject({ payloads: await transform(payloads) })
  return JSON.stringify(proto.toObject(result, { bytes: String, longs: String }))
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_BODY) throw new RangeError(`the request has more than ${MAX_BODY} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** Compared by hash, so that the time tells nothing of the token. */
function authorised({ headers }: IncomingMessage, token: string): boolean {
  const [scheme = '', credentials = ''] = (headers.authorization ?? '').split(' ')
  const given =
    scheme.toLowerCase() === 'basic'
      ? Buffer.from(credentials, 'base64')
          .toString()
          .replace(/^[^:]*:/, '')
      : credentials
  return timingSafeEqual(digest(given), digest(token))
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

function allowOrigin({ headers }: IncomingMessage, response: ServerResponse, origins: string[]): void {
  response.setHeader('vary', 'origin')
  if (headers.origin === undefined || !origins.includes(headers.origin)) return
  response.setHeader('access-control-allow-origin', headers.origin)
  response.setHeader('access-control-allow-credentials', 'true')
  response.setHeader('access-control-allow-methods', 'POST, OPTIONS')
  response.setHeader('access-control-allow-headers', 'authorization, content-type, x-namespace')
}
