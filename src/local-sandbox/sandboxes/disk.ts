import { existsSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import type { Owners, SandboxFolders } from '../isolation/driver.ts'
import type { Layout } from './layout.ts'

// What of a sandbox is its disk; the rest of its folders is the server's.
const parts = ['home', 'tmp', 'varTmp', 'system'] as const

// A saved disk is a folder: of this image, or of the parts.
const imageIn = (folder: string): string => join(folder, 'disk.ext4')

/** Copies the disk of a sandbox, whose processes stand still, to a new folder. */
export async function saveDisk(layout: Layout, sandboxId: string, to: string): Promise<void> {
  const folders = layout.folders(sandboxId)
  await mkdir(to, { recursive: true, mode: 0o700 })
  if (await layout.images?.keep(sandboxId, folders.disk, imageIn(to))) return
  await Promise.all(parts.map((part) => copyFolder(folders[part], join(to, part))))
}

/** Gives a sandbox that hasn't started yet a copy of a saved disk; see `giveDisk`. */
export async function loadDisk(
  layout: Layout,
  from: string,
  sandboxId: string,
  owners: Owners,
): Promise<void> {
  const folders = layout.folders(sandboxId)
  if (existsSync(imageIn(from))) {
    if (!layout.images) throw new Error('this disk was saved as a file system, and none can be mounted here')
    await layout.images.use(sandboxId, imageIn(from))
  }
  await layout.provideDisk(sandboxId)
  // Disks of earlier versions have no system part.
  const there = parts.filter((part) => existsSync(join(from, part)))
  await Promise.all(there.map((part) => copyFolder(join(from, part), folders[part])))
  await giveDisk(folders, owners)
}

/**
 * Makes a disk its owners', where it is of a sandbox that had other ones. Where those had several users, and these are
 * one, or the other way round, all of the home and the temporary folders is the one user's then.
 */
export async function giveDisk({ home, tmp, varTmp }: SandboxFolders, { user }: Owners): Promise<void> {
  if (user === undefined || !existsSync(home) || (await stat(home)).uid === user) return
  await execa('chown', ['-hR', `${user}:${user}`, '--', home, tmp, varTmp])
}

/**
 * Copies a folder with modes, times, links and extended attributes: blocks are shared until one of them is written to,
 * where the file system can do that. Throws with what `cp` said.
 */
export async function copyFolder(from: string, to: string): Promise<void> {
  await execa('cp', ['-a', '--reflink=auto', '--no-target-directory', '--', from, to])
}
