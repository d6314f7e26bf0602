import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { toolPath } from '../isolation/launch.ts'

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

  private constructor(folder: string, sizeMB: number) {
    this.#folder = folder
    this.sizeMB = sizeMB
  }

  /** Tries with a disk that is gone afterwards. Throws what is in the way. */
  static async open(folder: string, sizeMB: number): Promise<DiskImages> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const images = new DiskImages(folder, sizeMB)
    const [id, place] = ['trial', join(folder, 'trial')]
    try {
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
      const draft = `${image}.draft`
      await writeFile(draft, '', { mode: 0o600 })
      await truncate(draft, this.sizeMB * 2 ** 20)
      await run('mkfs.ext4', [...format, draft])
      await rename(draft, image)
    }
    await run('mount', ['-o', options, image, on])
  }

  /** Deletes the disk of a sandbox whose processes have gone. */
  async discard(sandboxId: string, on: string): Promise<void> {
    if (existsSync(on) && (await isMounted(on))) await run('umount', ['--lazy', on])
    await rm(this.#image(sandboxId), { force: true })
  }

  #image(sandboxId: string): string {
    return join(this.#folder, `${sandboxId}.ext4`)
  }
}

const isMounted = async (folder: string): Promise<boolean> =>
  (await stat(folder)).dev !== (await stat(dirname(folder))).dev

async function run(program: string, args: string[]): Promise<void> {
  await execa(program, args, { env: { PATH: toolPath }, extendEnv: false })
}
