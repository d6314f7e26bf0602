import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import type { SandboxFolders } from '../isolation/driver.ts'

// What of a sandbox is its disk; the rest of its folders is the server's.
const parts = ['home', 'tmp', 'varTmp'] as const

/** Copies the disk of a sandbox, whose processes stand still, to a new folder. */
export async function saveDisk(folders: SandboxFolders, to: string): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 })
  await Promise.all(parts.map((part) => copyFolder(folders[part], join(to, part))))
}

/** Gives a sandbox that hasn't started yet a copy of a saved disk; all of it belongs to `uid` then. */
export async function loadDisk(
  from: string,
  folders: SandboxFolders,
  uid: number | undefined,
): Promise<void> {
  await mkdir(folders.root, { recursive: true, mode: 0o700 })
  await Promise.all(parts.map((part) => copyFolder(join(from, part), folders[part])))
  const own = parts.map((part) => folders[part])
  if (uid !== undefined) await execa('chown', ['-hR', `${uid}:${uid}`, '--', ...own])
}

/**
 * Copies a folder with modes, times, links and extended attributes: blocks are shared until one of them is written to,
 * where the file system can do that. Throws with what `cp` said.
 */
export async function copyFolder(from: string, to: string): Promise<void> {
  await execa('cp', ['-a', '--reflink=auto', '--no-target-directory', '--', from, to])
}
