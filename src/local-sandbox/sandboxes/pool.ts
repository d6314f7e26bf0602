import { constants, existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, rename, rm, stat, statfs, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isMounted, runTool } from './mounts.ts'

// Of what the host has left: a pool that is full must not find its host full before.
const share = 0.9
const worthGrowing = 2 ** 30

/**
 * Mounts a folder's pool on it: an XFS file system, whose copies share blocks, in a sparse file beside the folder. Makes
 * one where there is none. Mounts outlive the server. Throws what the tools said.
 */
export async function openPool(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  if (await isMounted(folder)) return
  const pool = poolOf(folder)
  const isNew = !existsSync(pool)
  if (isNew) await make(pool, await room(folder))
  const grown = !isNew && (await grow(pool, folder))
  try {
    await runTool('mount', ['-o', 'loop,nosuid,nodev,noexec,noatime,discard', pool, folder])
  } catch (error) {
    // Nothing is in it yet that would be missing without it.
    if (isNew) await rm(pool)
    throw error
  }
  await chmod(folder, 0o700)
  if (grown) await runTool('xfs_growfs', ['-d', folder])
}

/** Whether there is a pool for this folder, mounted or not. */
export const hasPool = (folder: string): boolean => existsSync(poolOf(folder))

/** Unmounts the folder's pool, where it has one; to be called when nothing in it is in use. */
export async function closePool(folder: string): Promise<void> {
  if (existsSync(folder) && (await isMounted(folder))) await runTool('umount', ['--lazy', folder])
}

/** Whether copies in a folder share their blocks until one of them is written to. */
export async function sharesBlocks(folder: string): Promise<boolean> {
  const [from, to] = [join(folder, 'sharing'), join(folder, 'sharing.copy')]
  try {
    await writeFile(from, 'x'.repeat(2 ** 16))
    await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE)
    return true
  } catch {
    return false
  } finally {
    for (const path of [from, to]) await rm(path, { force: true })
  }
}

const poolOf = (folder: string): string => `${folder}.xfs`

async function make(pool: string, bytes: number): Promise<void> {
  const draft = `${pool}.draft`
  await writeFile(draft, '', { mode: 0o600 })
  await truncate(draft, bytes)
  await runTool('mkfs.xfs', ['-q', '-f', '-K', '-l', 'size=64m', '-m', 'reflink=1', draft])
  await rename(draft, pool)
}

/** Makes the pool as large as one made now would be; says whether its file system has yet to be told. */
async function grow(pool: string, folder: string): Promise<boolean> {
  const { size, blocks } = await stat(pool)
  const bytes = (await room(folder)) + Math.floor(blocks * 512 * share)
  if (bytes < size + worthGrowing) return false
  await truncate(pool, bytes)
  return true
}

/** Bytes that a pool beside the folder may take of what is left there. */
async function room(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return Math.floor(bavail * bsize * share)
}
