import { existsSync } from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { copyFolder } from '../sandboxes/disk.ts'

// Homes as they were at the last pause and the one before, in the sandbox's folder.
const last = 'home-at-pause'
const before = 'home-at-pause-before'

/** Keeps the home as it is at this pause. */
export async function keepHome({ root, home }: { root: string; home: string }): Promise<void> {
  await rm(join(root, before), { recursive: true, force: true })
  if (existsSync(join(root, last))) await rename(join(root, last), join(root, before))
  await copyFolder(home, join(root, last))
}

/** Puts the home back to the pause before the last one; empty where there was none. */
export async function loseFiles({ root, home }: { root: string; home: string }): Promise<void> {
  // The folder itself stays: it is mounted in the sandbox.
  for (const name of await readdir(home)) await rm(join(home, name), { recursive: true })
  if (existsSync(join(root, before))) await copyFolder(join(root, before), home)
}
