import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isMounted, runTool } from './mounts.ts'

// Little to write at a sandbox's start; what is deleted inside is given back to the host.
const format = [
  '-q',
  '-F',
  '-m',
  '0',
  '-J',
  'size=4',
  '-E',
  'lazy_itable_init=1,lazy_journal_init=1,nodiscard',
]
const options = 'loop,nodev,noatime,noinit_itable,discard'

/**
 * Gives each sandbox's disk a file system of its own, of a fixed size, in a sparse file that grows with what is written.
 * Mounts outlive the server, as sandboxes do.
 */
export class DiskImages {
  /** 0 where new disks have none of their own. */
  readonly sizeMB: number
  #folder: string
  #shared: boolean

  private constructor(folder: string, sizeMB: number, shared: boolean) {
    this.#folder = folder
    this.#shared = shared
    this.sizeMB = sizeMB
  }

  /**
   * Tries with a disk that is gone afterwards. `shared` says whether copies of files in the folder share their blocks.
   * Throws what is in the way.
   */
  static async open(folder: string, sizeMB: number, shared: boolean): Promise<DiskImages> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const images = new DiskImages(folder, sizeMB, shared)
    const [id, place] = ['trial', join(folder, 'trial')]
    try {
      if (sizeMB > 0) await images.#makeBlank()
      await images.mount(id, place)
    } finally {
      await images.discard(id, place)
      await rm(place, { recursive: true })
    }
    return images
  }

  /** Mounts a sandbox's disk where it isn't yet, and makes it where there is none. Throws what the tools said. */
  async mount(sandboxId: string, on: string): Promise<void> {
    await mkdir(on, { recursive: true })
    if (await isMounted(on)) return
    const image = this.#image(sandboxId)
    if (!existsSync(image)) {
      // It has been a plain folder from the start.
      if (this.sizeMB === 0 || (await readdir(on)).length > 0) return
      await this.use(sandboxId, this.#blank)
    }
    await runTool('mount', ['-o', options, image, on])
  }

  /** Writes out what is on its way to a disk. False where that makes no copy of it quicker. */
  async settle(sandboxId: string, on: string): Promise<boolean> {
    if (!this.#shared || !existsSync(this.#image(sandboxId))) return false
    await runTool('sync', ['--file-system', on])
    return true
  }

  /**
   * Keeps a copy of a disk, whose sandbox's processes stand still, that shares its blocks. False where it can't be had in
   * one moment: its files have to be copied. What the file system has yet to put in its place is in its journal.
   */
  async keep(sandboxId: string, on: string, kept: string): Promise<boolean> {
    if (!(await this.settle(sandboxId, on))) return false
    await runTool('cp', ['--reflink=always', this.#image(sandboxId), kept])
    return true
  }

  /** Makes a new sandbox's disk a copy of a kept one. */
  async use(sandboxId: string, kept: string): Promise<void> {
    const image = this.#image(sandboxId)
    await runTool('cp', ['--reflink=auto', kept, `${image}.draft`])
    await rename(`${image}.draft`, image)
  }

  /** Deletes the disk of a sandbox whose processes have gone. */
  async discard(sandboxId: string, on: string): Promise<void> {
    if (existsSync(on) && (await isMounted(on))) await runTool('umount', ['--lazy', on])
    const image = this.#image(sandboxId)
    for (const path of [image, `${image}.draft`]) await rm(path, { force: true })
  }

  /** An empty disk, of which new ones are copies: that takes less time than to make them. */
  async #makeBlank(): Promise<void> {
    const draft = `${this.#blank}.draft`
    await writeFile(draft, '', { mode: 0o600 })
    await truncate(draft, 0)
    await truncate(draft, this.sizeMB * 2 ** 20)
    await runTool('mkfs.ext4', [...format, draft])
    await rename(draft, this.#blank)
  }

  get #blank(): string {
    return join(this.#folder, 'blank.ext4')
  }

  #image(sandboxId: string): string {
    return join(this.#folder, `${sandboxId}.ext4`)
  }
}
