import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { notFound } from '../errors.ts'
import { freeIds } from '../isolation/ids.ts'
import type { Limits } from '../isolation/limits.ts'
import { randomId } from '../random-id.ts'
import type { Host } from './machine.ts'
import { endIn, type SandboxRecord } from './record.ts'
import { Sandbox } from './sandbox.ts'
import { RecordStore } from './store.ts'
import { WarmPool } from './warm-pool.ts'

/** What create asks for, checked. Seconds. */
export type NewSandbox = Pick<
  SandboxRecord,
  | 'templateID'
  | 'alias'
  | 'timeout'
  | 'metadata'
  | 'envVars'
  | 'autoPause'
  | 'autoPauseMemory'
  | 'autoResume'
  | 'allowInternetAccess'
  | 'network'
  | 'workdir'
  | 'start'
  | 'building'
>

// Started ahead; each holds some 20 MB.
const warmSandboxes = 2
const refillAfterMs = 100

/** All sandboxes of a server. */
export class Registry {
  #sandboxes = new Map<string, Sandbox>()
  #store: RecordStore
  #host: Host
  #pool: WarmPool
  #creating = 0
  #refill: NodeJS.Timeout | undefined

  constructor(host: Host) {
    this.#host = host
    this.#pool = new WarmPool(host, warmSandboxes, () => this.#freeUid())
    this.#store = new RecordStore(host.layout.records)
  }

  /** What each of its sandboxes may use. */
  get limits(): Limits {
    return this.#host.limits
  }

  /** Takes over what an earlier server on the same data directory left. */
  async recover(): Promise<void> {
    for (const record of await this.#store.all()) this.#add(record)
    for (const sandboxId of await this.#host.layout.sandboxIds())
      if (!this.#sandboxes.has(sandboxId)) {
        await this.#host.driver.kill(sandboxId, undefined)
        await this.#host.layout.discard(sandboxId)
      }
    const recovered = [...this.#sandboxes.values()].map(async (sandbox) => {
      await sandbox.recover().catch((error: Error) => {
        this.#host.log.error(
          { sandboxId: sandbox.id, error: error.message },
          'sandbox could not be taken over',
        )
      })
    })
    await Promise.all(recovered)
  }

  /** Creates and starts one, on a copy of `disk` where given. Throws what its start throws, and leaves nothing then. */
  async create(wish: NewSandbox, disk?: string): Promise<Sandbox> {
    this.#creating++
    try {
      return await this.#create(wish, disk)
    } finally {
      // Not at once: it would only take turns from other creates and from the first command in this one.
      clearTimeout(this.#refill)
      if (--this.#creating === 0) this.#refill = setTimeout(() => void this.#pool.fill(), refillAfterMs)
    }
  }

  async #create(wish: NewSandbox, disk?: string): Promise<Sandbox> {
    // Any other template may have changed what a start sees since.
    const warm = disk === undefined && wish.templateID === 'base' ? this.#pool.take() : undefined
    const sandbox = this.#add({
      ...wish,
      sandboxID: warm?.sandboxId ?? randomId('i'),
      state: 'starting',
      startedAt: new Date().toISOString(),
      endAt: endIn(wish.timeout),
      envdAccessToken: randomBytes(32).toString('hex'),
      trafficAccessToken:
        wish.network.allowPublicTraffic === false ? randomBytes(32).toString('hex') : undefined,
      uid: warm ? warm.uid : this.#freeUid(),
      process: undefined,
      stoppedBefore: [],
    })
    try {
      await sandbox.start({ disk, warm })
    } catch (error) {
      await sandbox.kill().catch(() => undefined)
      throw error
    }
    return sandbox
  }

  /** Starts as many new ones on copies of a running one's disk as it is now. Throws where that can't be copied. */
  async fork(sandboxId: string, timeout: number, count: number): Promise<PromiseSettledResult<Sandbox>[]> {
    const source = this.get(sandboxId)
    const folder = await this.#host.layout.scratch()
    try {
      await source.saveDisk(folder)
      const forks = Array.from({ length: count }, () => this.create({ ...source.record, timeout }, folder))
      return await Promise.allSettled(forks)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  /** Sandboxes that wait for a create. */
  get startedAhead(): number {
    return this.#pool.ready
  }

  /** Throws 404 where there is none. */
  get(sandboxId: string): Sandbox {
    const sandbox = this.find(sandboxId)
    if (!sandbox) throw notFound(sandboxId)
    return sandbox
  }

  find(sandboxId: string): Sandbox | undefined {
    return this.#sandboxes.get(sandboxId)
  }

  /** Those that exist for clients: all but those still starting, and those that templates are built in. */
  all(): Sandbox[] {
    return [...this.#sandboxes.values()].filter(
      ({ record }) => record.state !== 'starting' && !record.building,
    )
  }

  /** To be called at the end of the server: what is under way is done, those started ahead go, all others stay. */
  async close(): Promise<void> {
    clearTimeout(this.#refill)
    await Promise.all([this.#pool.close(), ...[...this.#sandboxes.values()].map((sandbox) => sandbox.idle())])
  }

  #add(record: SandboxRecord): Sandbox {
    const forget = () => void this.#sandboxes.delete(record.sandboxID)
    const sandbox = new Sandbox(record, this.#host, this.#store, forget)
    this.#sandboxes.set(record.sandboxID, sandbox)
    return sandbox
  }

  // Other ids for each: neither files nor limits nor signals of two sandboxes can meet on the host.
  #freeUid(): number | undefined {
    if (process.getuid?.() !== 0) return undefined
    const sandboxes = [...this.#sandboxes.values()].flatMap(({ record }) => record.uid ?? [])
    return freeIds(new Set([...this.#pool.uids, ...sandboxes]))
  }

  /** Whether there is a root in sandboxes. */
  get root(): boolean {
    return this.#host.driver.root
  }
}
