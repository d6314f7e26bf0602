import { randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { chown, rename, rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { basename, dirname } from 'node:path'
import { json } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { HttpError } from '../../http.ts'
import { makeFolder, type Account } from '../account.ts'
import type { Uploaded } from './upload.ts'

/** Whose a request's files are, and where its paths lead. */
export interface FilePlace {
  account: Account
  resolve: (path: string) => string
}

/**
 * `POST /files/compose`: joins the files `source_paths` into `destination` and removes them. The destination is there
 * only once it is whole; until then the sources stay. `place` is asked for the body's `username`.
 */
export async function compose(
  place: (username: string | undefined) => Promise<FilePlace>,
  request: IncomingMessage,
): Promise<Uploaded> {
  const body = (await json(request).catch(() => undefined)) as Record<string, unknown> | null | undefined
  const { source_paths: names, destination, username } = body ?? {}
  if (!Array.isArray(names) || names.length === 0 || !names.every((name) => typeof name === 'string' && name))
    throw new HttpError(400, 'source_paths: give the paths of the files to join')
  if (typeof destination !== 'string' || destination === '')
    throw new HttpError(400, 'destination: give the path of the joined file')
  const { account, resolve } = await place(typeof username === 'string' ? username : undefined)
  const sources = (names as string[]).map(resolve)
  const target = resolve(destination)
  await makeFolder(dirname(target), account)
  const draft = `${target}.${randomUUID()}`
  try {
    for (const source of sources)
      await pipeline(createReadStream(source), createWriteStream(draft, { flags: 'a', mode: 0o644 }))
    if (account.ids) await chown(draft, account.ids.uid, account.ids.gid)
    await rename(draft, target)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
  for (const source of sources) if (source !== target) await rm(source, { force: true })
  return { path: target, name: basename(target), type: 'file' }
}
