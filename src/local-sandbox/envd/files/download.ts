import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { basename } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import send from 'send'
import { HttpError } from '../../http.ts'

// What is read, packed and sent at once: in zlib's own 16 KiB a client's unpacking of what can't be packed takes six times as long.
const pieceBytes = 256 * 1024

/** `GET /files`: the file at the absolute `path`, as gzip where that is accepted and no range is asked for. */
export async function download(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new HttpError(error.code === 'EACCES' ? 403 : 404, `path '${path}' does not exist (${error.code})`)
  })
  if (found.isDirectory()) throw new HttpError(400, `path '${path}' is a directory`)
  if (!found.isFile()) throw new HttpError(400, `path '${path}' is not a regular file`)
  const encoding = chooseEncoding(request.headers['accept-encoding'])
  if (!encoding) throw new HttpError(406, 'accept-encoding: neither gzip nor identity is accepted; allow one')
  response.setHeader('vary', 'Accept-Encoding')
  response.setHeader('content-disposition', `inline; filename=${quoted(basename(path))}`)
  const conditional = ['range', 'if-range', 'if-none-match', 'if-modified-since'].some(
    (name) => name in request.headers,
  )
  if (encoding === 'identity' || conditional) return plain(path, request, response)
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-encoding': 'gzip' })
  await pipeline(
    createReadStream(path, { highWaterMark: pieceBytes }),
    createGzip({ level: 1, chunkSize: pieceBytes }),
    response,
  )
}

function plain(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    response.once('close', resolve)
    send(request, encodeURI(path).replace(/[?#]/g, encodeURIComponent), { dotfiles: 'allow', index: false })
      .on('error', (error: NodeJS.ErrnoException & { status?: number }) =>
        reject(new HttpError(error.status ?? 500, error.message)),
      )
      .pipe(response)
  })
}

/** Gzip where it is allowed, else identity, else undefined (RFC 9110 §12.5.3). */
export function chooseEncoding(header: string | string[] | undefined): 'gzip' | 'identity' | undefined {
  if (header === undefined) return 'identity'
  const quality = new Map<string, number>()
  for (const item of String(header).toLowerCase().split(',')) {
    const [name, ...parameters] = item.split(';').map((part) => part.trim())
    const q = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
    if (name) quality.set(name, q === undefined ? 1 : Number(q))
  }
  if ((quality.get('gzip') ?? quality.get('*') ?? 0) > 0) return 'gzip'
  return (quality.get('identity') ?? quality.get('*') ?? 1) > 0 ? 'identity' : undefined
}

const quoted = (name: string) =>
  /^[\w.-]+$/.test(name)
    ? name
    : `"${name.replace(/[^\x20-\x7e]/g, '_').replace(/["\\]/g, '\\$&')}"; filename*=UTF-8''${encodeURIComponent(name)}`
