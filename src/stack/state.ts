import { createHash } from 'node:crypto'
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { lock } from 'proper-lockfile'
import { type ProcessIdentity, identify, isAlive } from '../runtime/temporal/process-identity.ts'
import { StackError } from './errors.ts'

/** Where an embedded stack keeps what must outlive it. */
export interface StateFolder {
  path: string
  sandboxes: string
  logs: string
  release(): Promise<void>
}

/**
 * Takes the folder for this process alone. A process that died, however, holds it no longer.
 *
 * @throws StackError where another stack uses it, or it can't be made or written
 */
export async function openState(folder: string): Promise<StateFolder> {
  const path = resolve(folder)
  try {
    return await take(path)
  } catch (error) {
    if (error instanceof StackError) throw error
    throw new StackError(`the state folder ${path} can't be used: ${(error as Error).message}`, {
      remedy:
        'make it a folder that this user may write, or name another one by HOLDFAST_STATE (of up: --state)',
      cause: error,
    })
  }
}

async function take(path: string): Promise<StateFolder> {
  const logs = join(path, 'logs')
  await mkdir(logs, { recursive: true })
  await chmod(path, 0o700)
  const ownerFile = join(path, 'owner.json')
  const unlock = await lock(ownerFile, {
    realpath: false,
    stale: 5_000,
    retries: { retries: 100, factor: 1, minTimeout: 100, maxTimeout: 100 },
  })
  try {
    const owner = await readOwner(ownerFile)
    if (owner && isAlive(owner))
      throw new StackError(`another Holdfast stack (process ${owner.pid}) runs on ${path}`, {
        remedy: `use that one, or end it (kill ${owner.pid}), or name another folder by HOLDFAST_STATE (of up: --state)`,
      })
    await writeFile(ownerFile, JSON.stringify(identify(process.pid)))
  } finally {
    await unlock()
  }
  const sandboxes = sandboxFolder(path)
  await mkdir(sandboxes, { recursive: true, mode: 0o711 })
  return { path, logs, sandboxes, release: () => rm(ownerFile, { force: true }) }
}

async function readOwner(file: string): Promise<ProcessIdentity | undefined> {
  try {
    const owner: unknown = JSON.parse(await readFile(file, 'utf8'))
    return isIdentity(owner) ? owner : undefined
  } catch {
    // Not there, or cut off by a crash: nobody's.
    return undefined
  }
}

const isIdentity = (value: unknown): value is ProcessIdentity =>
  typeof value === 'object' && value !== null && 'pid' in value && 'startedAt' in value

/**
 * Where the local server keeps the sandboxes of a state folder, given by its whole path. Run by root, sandboxes belong to
 * another user, who can't pass through a home folder: they get a folder elsewhere.
 */
export function sandboxFolder(path: string): string {
  if (process.getuid?.() !== 0) return join(path, 'sandboxes')
  return join('/var/lib/holdfast', createHash('sha256').update(path).digest('hex').slice(0, 12))
}
