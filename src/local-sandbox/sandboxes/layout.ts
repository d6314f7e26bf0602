import { chmod, chown, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Owners, SandboxFolders } from '../isolation/driver.ts'
import { copyFolder } from './disk.ts'
import type { DiskImages } from './disk-images.ts'

// The kernel's limit for the path of a unix socket is 107 bytes; this is what the longest of ours adds.
const longestSocket = '/sandboxes/i0123456789012345678/egress/egress.sock'.length
const maxSocketPath = 107

/** What of the system a sandbox keeps its own changes of: each an overlay. */
const layers = ['root', 'usr', 'dpkg']

/** The folders of a data directory. */
export class Layout {
  readonly dir: string
  readonly records: string
  readonly sockets: string
  readonly program: string
  readonly etc: string
  readonly templates: string
  readonly authority: string
  readonly trust: string
  /** Closed to all but root: the lowest layers of sandboxes' file systems. */
  readonly system: string
  /** Disks and what is saved of them, so that both can be on a file system of their own. */
  readonly disks: string
  /** Always empty: a place to mount on. */
  readonly staging: string
  /** What disks are in, other than plain folders; to be set before the first sandbox. */
  images: DiskImages | undefined
  #sandboxes: string
  #trash: string
  #keepKilled: boolean

  constructor(dir: string, { keepKilled }: { keepKilled: boolean }) {
    this.#keepKilled = keepKilled
    this.dir = dir
    this.records = join(dir, 'records')
    this.sockets = join(dir, 'sockets')
    this.program = join(dir, 'program')
    this.etc = join(dir, 'program/etc')
    this.authority = join(dir, 'authority')
    this.trust = join(dir, 'program/trust')
    this.system = join(dir, 'system')
    this.staging = join(dir, 'staging')
    this.disks = join(dir, 'disks')
    this.templates = join(this.disks, 'templates')
    this.#sandboxes = join(dir, 'sandboxes')
    this.#trash = join(dir, 'trash')
  }

  /** Makes the folders; what a predecessor hadn't finished deleting is deleted. Throws where `dir` can't serve. */
  async prepare(): Promise<void> {
    if (Buffer.byteLength(this.dir) + longestSocket > maxSocketPath)
      throw new Error(
        `--data-dir: '${this.dir}' is too long for unix sockets; use one of at most ${maxSocketPath - longestSocket} bytes`,
      )
    await mkdir(this.dir, { recursive: true })
    await this.#checkReachable()
    // Sandboxes' own users must get to their folders, and see nothing on the way.
    await chmod(this.dir, 0o711)
    for (const folder of [this.records, this.sockets, this.system, this.staging, this.#trash])
      await mkdir(folder, { recursive: true, mode: 0o700 })
    for (const folder of [this.#sandboxes, this.program])
      await mkdir(folder, { recursive: true, mode: 0o711 })
    await this.#moveTemplates()
    for (const name of await readdir(this.#trash))
      void rm(join(this.#trash, name), { recursive: true, force: true }).catch(() => undefined)
  }

  /** Ids of sandboxes that have folders. */
  sandboxIds(): Promise<string[]> {
    return readdir(this.#sandboxes)
  }

  /** Whether no disk has been made or saved here that is still there. */
  async isUnused(): Promise<boolean> {
    const saved = await readdir(this.templates).catch(() => [])
    return saved.length === 0 && (await this.sandboxIds()).length === 0
  }

  /** A folder for a disk that is saved for a while; as no template's, it goes at the next start at the latest. */
  async scratch(): Promise<string> {
    await mkdir(this.templates, { recursive: true, mode: 0o700 })
    return mkdtemp(join(this.templates, 'scratch-'))
  }

  folders(sandboxId: string): SandboxFolders {
    const root = join(this.#sandboxes, sandboxId)
    const disk = join(root, 'disk')
    const [home, tmp, varTmp] = [join(disk, 'home'), join(disk, 'tmp'), join(disk, 'var-tmp')]
    const [run, egress] = [join(root, 'run'), join(root, 'egress')]
    return {
      root,
      disk,
      home,
      tmp,
      varTmp,
      system: join(disk, 'system'),
      work: join(disk, 'work'),
      run,
      egress,
      bootId: join(root, 'boot-id'),
      log: join(root, 'envd.log'),
      events: join(root, 'events.log'),
      info: join(root, 'info.json'),
    }
  }

  /** The socket of a sandbox's envd under a name that the sandbox can't change. */
  socket(sandboxId: string): string {
    return join(this.sockets, sandboxId)
  }

  /** Puts a sandbox's disk in its place, empty where it is new. */
  async provideDisk(sandboxId: string): Promise<void> {
    const { disk } = this.folders(sandboxId)
    if (this.images) await this.images.mount(sandboxId, disk)
    else await mkdir(disk, { recursive: true })
  }

  async makeFolders(sandboxId: string, { root, user }: Owners): Promise<SandboxFolders> {
    const folders = this.folders(sandboxId)
    await mkdir(folders.root, { recursive: true, mode: 0o710 })
    await own(folders.root, 0, root, 0o710)
    await this.provideDisk(sandboxId)
    await own(folders.disk, 0, root, 0o710)
    for (const [folder, owner, mode] of [
      [folders.home, user, 0o755],
      [folders.tmp, root, 0o1777],
      [folders.varTmp, root, 0o1777],
      ...layers.map((name) => [join(folders.system, name), root, 0o755] as const),
      ...layers.map((name) => [join(folders.work, name), root, 0o700] as const),
    ] as const) {
      await mkdir(folder, { recursive: true })
      await own(folder, owner, owner, mode)
    }
    await mkdir(folders.egress, { recursive: true, mode: 0o711 })
    return folders
  }

  /** A new boot id, and an empty run folder. */
  async prepareBoot({ bootId, run }: SandboxFolders, { root }: Owners): Promise<void> {
    await writeFile(bootId, `${randomUUID()}\n`, { mode: 0o644 })
    await rm(run, { recursive: true, force: true })
    await mkdir(run)
    await own(run, root, root, 0o711)
  }

  /** Folders of a sandbox for as long as the task, that is, for a server that looks what it can do. */
  async trial<T>(task: (prepare: (owners: Owners) => Promise<SandboxFolders>) => Promise<T>): Promise<T> {
    const id = 'trial'
    try {
      return await task(async (owners) => {
        const folders = await this.makeFolders(id, owners)
        await this.prepareBoot(folders, owners)
        return folders
      })
    } finally {
      await this.discard(id)
    }
  }

  /** Takes a sandbox's folders out of the way at once and deletes them in the background. */
  async discard(sandboxId: string): Promise<void> {
    await rm(this.socket(sandboxId), { force: true })
    const { root, disk } = this.folders(sandboxId)
    if (this.#keepKilled && existsSync(disk)) {
      await mkdir(join(this.dir, 'killed'), { recursive: true, mode: 0o700 })
      await copyFolder(disk, join(this.dir, 'killed', `${sandboxId}-${randomUUID()}`))
    }
    await this.images?.discard(sandboxId, disk)
    const grave = await mkdtemp(join(this.#trash, `${sandboxId}-`))
    await rename(root, join(grave, 'root')).catch(() => undefined)
    void rm(grave, { recursive: true, force: true }).catch(() => undefined)
  }

  // Earlier versions had them elsewhere.
  async #moveTemplates(): Promise<void> {
    const before = join(this.dir, 'templates')
    if (!existsSync(before)) return
    await mkdir(this.disks, { recursive: true, mode: 0o700 })
    await rename(before, this.templates)
  }

  async #checkReachable(): Promise<void> {
    if (process.getuid?.() !== 0) return
    for (let folder = dirname(this.dir); folder !== dirname(folder); folder = dirname(folder))
      if (((await stat(folder)).mode & 0o001) === 0)
        throw new Error(
          `--data-dir: '${this.dir}' can't be reached by the users that sandboxes run under, since '${folder}' is closed to others; use a folder such as /var/lib/holdfast`,
        )
  }
}

async function own(
  path: string,
  uid: number | undefined,
  gid: number | undefined,
  mode: number,
): Promise<void> {
  if (uid !== undefined && gid !== undefined) await chown(path, uid, gid)
  await chmod(path, mode)
}
