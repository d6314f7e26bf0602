import { createHash } from 'node:crypto'
import { chmod, mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { lock } from 'proper-lockfile'

/** Where an embedded stack keeps what must outlive it. */
export interface StateFolder {
  path: string
  database: string
  sandboxes: string
  logs: string
  release(): Promise<void>
}

/**
 * Takes the folder for this process alone.
 *
 * @throws Error where another stack uses it
 */
export async function openState(folder: string): Promise<StateFolder> {
  const path = resolve(folder)
  const logs = join(path, 'logs')
  await mkdir(logs, { recursive: true })
  await chmod(path, 0o700)
  const release = await lock(path, { stale: 10_000, update: 2_000 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ELOCKED') throw error
    throw new Error(
      `another Holdfast stack runs on ${path}: stop it, or name another folder by HOLDFAST_STATE ` +
        '(after a crash the folder is free again in 10 s)',
    )
  })
  return { path, logs, database: join(path, 'temporal.db'), sandboxes: await sandboxFolder(path), release }
}

/** Run by root, sandboxes belong to another user, who can't pass through a home folder: they get a folder elsewhere. */
async function sandboxFolder(path: string): Promise<string> {
  const asRoot = process.getuid?.() === 0
  const name = createHash('sha256').update(path).digest('hex').slice(0, 12)
  const folder = asRoot ? join('/var/lib/holdfast', name) : join(path, 'sandboxes')
  await mkdir(folder, { recursive: true, mode: 0o711 })
  return folder
}
