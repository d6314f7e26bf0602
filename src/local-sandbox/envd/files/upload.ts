import { createWriteStream, fchownSync, open, openSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { basename, dirname } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { createGunzip } from 'node:zlib'
import { Busboy, type BusboyHeaders } from '@fastify/busboy'
import { HttpError } from '../../http.ts'
import { makeFolder, type Account } from '../account.ts'
import { metadataOf, replaceMetadata, type Metadata } from './metadata.ts'

export interface Uploaded {
  path: string
  name: string
  type: 'file'
  metadata?: Metadata
}

/**
 * `POST /files`: stores the body (octet-stream), or the parts named `file` (multipart), and answers what was written.
 * `path` is the query's, `resolve` makes it absolute; files and new folders are the account's. Throws HttpError 400 for a request that can't be understood.
 */
export async function upload(
  path: string | undefined,
  resolve: (path: string) => string,
  account: Account,
  request: IncomingMessage,
): Promise<Uploaded[]> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
  const metadata = metadataOf(request.headers)
  const body = decoded(request)
  const storing = (target: string, content: Readable) => store(target, content, metadata, account)
  if (type === 'multipart/form-data') return multipart(path, resolve, storing, request, body)
  if (type !== 'application/octet-stream')
    throw new HttpError(
      400,
      `content-type: '${type}' is not supported; send multipart/form-data or application/octet-stream`,
    )
  if (!path) throw new HttpError(400, 'path: is required with application/octet-stream; add ?path=')
  return [await storing(resolve(path), body)]
}

function decoded(request: IncomingMessage): Readable {
  const encoding = (request.headers['content-encoding'] ?? 'identity').toLowerCase()
  if (encoding === 'identity') return request
  if (encoding !== 'gzip')
    throw new HttpError(400, `content-encoding: '${encoding}' is not supported; send gzip or none`)
  const gunzip = createGunzip()
  request.once('error', (error) => gunzip.destroy(error))
  // Whoever reads it is told; a body that is refused unread must not end the program.
  gunzip.on('error', () => undefined)
  return request.pipe(gunzip)
}

async function multipart(
  path: string | undefined,
  resolve: (path: string) => string,
  storing: (target: string, content: Readable) => Promise<Uploaded>,
  request: IncomingMessage,
  body: Readable,
): Promise<Uploaded[]> {
  const parser = multipartParser(request)
  const stored: Promise<Uploaded>[] = []
  const targets = new Set<string>()
  const parts: Readable[] = []
  // Looked at only once the body is read: until then a failure must not count as unhandled.
  const keep = (result: Promise<Uploaded>) => {
    result.catch(() => undefined)
    stored.push(result)
  }
  const claim = (name: string) => {
    if (!name) throw new HttpError(400, 'path: is missing; add ?path= or a file name')
    const target = resolve(name)
    if (targets.has(target))
      throw new HttpError(400, `path '${target}' is given for several files; send one file to each path`)
    targets.add(target)
    return target
  }
  parser.on('file', (field, stream, filename) => {
    parts.push(stream)
    if (field !== 'file') return void stream.resume()
    try {
      keep(storing(claim(path || filename), stream))
    } catch (error) {
      stream.resume()
      keep(Promise.reject(error))
    }
  })
  const parsed = pipeline(body, parser).catch((error: NodeJS.ErrnoException) => {
    // Parts don't end with what they are parts of, and files are open for as long as they haven't ended.
    for (const part of parts) part.destroy()
    // Errors of the disk have other codes than those of unpacking.
    const ours = error.code !== undefined && !error.code.startsWith('Z_')
    throw ours ? error : new HttpError(400, `multipart body: ${error.message}`)
  })
  await parsed
  return Promise.all(stored)
}

function multipartParser(request: IncomingMessage): Busboy {
  try {
    // preservePath: the part's file name is a path here, slashes and all.
    // What the part is called makes it a file, not that it has a file name.
    return new Busboy({
      headers: request.headers as BusboyHeaders,
      preservePath: true,
      isPartAFile: (field) => field === 'file',
    })
  } catch (error) {
    throw new HttpError(400, `multipart body: ${(error as Error).message}`)
  }
}

// What is there can be a pipe, and the opening wait for its reader.
const opened = (path: string) => promisify(open)(path, 'w', 0o644)

/** Overwrites in place, as a shell's `>` would: the file keeps its mode and its hard links. */
async function store(
  path: string,
  content: Readable,
  metadata: Metadata,
  account: Account,
): Promise<Uploaded> {
  // The body can fail while the folders are being made, when no pipeline listens yet.
  const failed = new AbortController()
  content.once('error', (error) => failed.abort(error))
  try {
    const there = await stat(path).catch(() => undefined)
    if (there?.isDirectory()) throw new HttpError(400, `path '${path}' is a directory`)
    await makeFolder(dirname(path), account)
    const fd = there ? await opened(path) : openSync(path, 'w', 0o644)
    // E2B gives the file to the user before it writes. Clients count the event that this makes in watches; that of the
    // creation shall find it given already, so nothing may come between the two.
    const { uid, gid } = account.ids ?? { uid: process.geteuid!(), gid: process.getegid!() }
    try {
      fchownSync(fd, uid, gid)
    } catch {
      // Of another user's file only root can do that.
    }
    const chunks = content.iterator({ destroyOnReturn: false })
    await pipeline(chunks, createWriteStream(path, { fd }), { signal: failed.signal })
    await replaceMetadata(path, metadata)
  } catch (error) {
    // What can't be written is read all the same: a part that nobody reads would hold up the rest of the body.
    content.on('data', () => undefined)
    throw failed.signal.aborted
      ? new HttpError(400, `body: ${(failed.signal.reason as Error).message}`)
      : error
  }
  const told = Object.keys(metadata).length > 0 ? { metadata } : {}
  return { path, name: basename(path), type: 'file', ...told }
}
