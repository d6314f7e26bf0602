import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { execa } from 'execa'
import { CLEAN_GIT_ENV } from '../git.ts'
import type { Route } from './route.ts'

const HEADER_END = Buffer.from('\r\n\r\n')
const MAX_HEADER_BYTES = 64 * 1024

/**
 * Answers one request by `git http-backend`, a CGI program, streaming both ways; resolves when program and answer have
 * ended. The program ends with the client's connection.
 */
export async function runBackend(
  request: IncomingMessage,
  response: ServerResponse,
  route: Route,
  context: { root: string; user: string; signal: AbortSignal },
): Promise<void> {
  const backend = execa('git', ['http-backend'], {
    env: { ...CLEAN_GIT_ENV, ...cgiEnv(request, route, context) },
    buffer: false,
    encoding: 'buffer',
    reject: false,
    stderr: 'ignore',
    cancelSignal: context.signal,
  })
  const end = () => backend.kill()
  response.once('close', end)
  // Either side may close early: git answers a refused push without reading all of it.
  const sending = pipeline(request, backend.stdin).catch(() => {})
  try {
    await answer(backend.stdout, response)
  } catch {
    fail(response)
  }
  response.off('close', end)
  await backend
  await sending
}

function cgiEnv(
  request: IncomingMessage,
  route: Route,
  { root, user }: { root: string; user: string },
): Record<string, string> {
  const { headers } = request
  const protocol = headers['git-protocol']
  return {
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: '1',
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_PROTOCOL: 'HTTP/1.1',
    REQUEST_METHOD: request.method ?? 'GET',
    PATH_INFO: route.pathInfo,
    QUERY_STRING: route.query,
    REMOTE_ADDR: request.socket.remoteAddress ?? '',
    REMOTE_USER: user || 'token',
    CONTENT_TYPE: headers['content-type'] ?? '',
    CONTENT_LENGTH: headers['content-length'] ?? '',
    HTTP_CONTENT_ENCODING: headers['content-encoding'] ?? '',
    ...(typeof protocol === 'string' ? { GIT_PROTOCOL: protocol, HTTP_GIT_PROTOCOL: protocol } : {}),
  }
}

/** Turns the CGI answer (a header block, an empty line, the body) into the HTTP one. */
async function answer(output: AsyncIterable<Uint8Array>, response: ServerResponse): Promise<void> {
  let head: Buffer | undefined = Buffer.alloc(0)
  for await (const chunk of output) {
    if (head === undefined) {
      await write(response, chunk)
      continue
    }
    head = Buffer.concat([head, chunk])
    const end = head.indexOf(HEADER_END)
    if (end < 0 && head.length > MAX_HEADER_BYTES) throw new Error('git http-backend sent no header')
    if (end < 0) continue
    writeHead(response, head.subarray(0, end).toString('latin1'))
    const body = head.subarray(end + HEADER_END.length)
    head = undefined
    if (body.length > 0) await write(response, body)
  }
  if (head !== undefined) throw new Error('git http-backend sent no header')
  response.end()
}

function writeHead(response: ServerResponse, block: string): void {
  for (const line of block.split('\r\n')) {
    const [name = '', ...rest] = line.split(': ')
    const value = rest.join(': ')
    if (name.toLowerCase() === 'status') response.statusCode = Number.parseInt(value, 10)
    else response.appendHeader(name, value)
  }
}

/** Waits while the client reads more slowly than git writes. */
async function write(response: ServerResponse, chunk: Uint8Array): Promise<void> {
  if (response.write(chunk)) return
  await new Promise<void>((resolve) => {
    const go = () => {
      response.off('drain', go)
      response.off('close', go)
      resolve()
    }
    response.on('drain', go)
    response.on('close', go)
  })
}

function fail(response: ServerResponse): void {
  if (response.headersSent) response.destroy()
  else response.writeHead(500, { 'content-type': 'text/plain' }).end('git http-backend failed\n')
}
