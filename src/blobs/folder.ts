import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { failure } from '../contract/failure.ts'
import type { BlobStore } from './store.ts'

const DRAFT = '.draft'

/** Blobs as files of a folder, which every worker of the deployment has to see. */
export function folderBlobs(folder: string): BlobStore {
  const pathOf = (key: string): string => join(folder, ...key.split('/'))
  return {
    where: folder,
    put: (key, content) =>
      available(async () => {
        const path = pathOf(key)
        const draft = `${path}.${randomUUID()}${DRAFT}`
        await mkdir(dirname(path), { recursive: true, mode: 0o700 })
        try {
          await pipeline(content, createWriteStream(draft, { mode: 0o600, flush: true }))
          const { size } = await stat(draft)
          await rename(draft, path)
          return { bytes: size }
        } catch (error) {
          await rm(draft, { force: true })
          throw error
        }
      }),
    get: (key) =>
      available(async () => {
        const file = await open(pathOf(key)).catch(ifMissing(undefined))
        if (!file) throw failure('BlobMissing', `there is no ${pathOf(key)}`)
        if ((await file.stat()).isFile()) return file.createReadStream()
        await file.close()
        throw failure('BlobMissing', `${pathOf(key)} is no blob`)
      }),
    keys: (prefix) =>
      available(async () => {
        const entries = await readdir(pathOf(prefix), { withFileTypes: true }).catch(ifMissing([]))
        const files = entries.filter((entry) => entry.isFile() && !entry.name.endsWith(DRAFT))
        return files.map(({ name }) => prefix + name).toSorted()
      }),
    folders: (prefix) =>
      available(async () => {
        const entries = await readdir(pathOf(prefix), { withFileTypes: true }).catch(ifMissing([]))
        return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
      }),
    deleteAll: (prefix) => available(() => rm(pathOf(prefix), { recursive: true, force: true })),
  }
}

/** A full or unreadable disk is no reason to lose a job: it may be mended. */
async function available<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw code === undefined ? error : failure('BlobStoreUnavailable', message, { cause: error })
  }
}

const ifMissing =
  <T>(otherwise: T) =>
  (error: NodeJS.ErrnoException): T => {
    if (error.code === 'ENOENT') return otherwise
    throw error
  }
