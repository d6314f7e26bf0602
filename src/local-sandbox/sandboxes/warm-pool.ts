import type { Started } from '../isolation/driver.ts'
import { isAlive } from '../isolation/processes.ts'
import { randomId } from '../random-id.ts'
import { startWaiting, type Host } from './machine.ts'

/** A sandbox that has started and waits to be told whose it is. */
export interface Warm extends Started {
  sandboxId: string
  uid: number | undefined
}

/**
 * A few sandboxes ahead of their creation, since most of a start is Node's. They have no record, and end by themselves
 * with the server; the next one clears their folders away.
 */
export class WarmPool {
  #host: Host
  #freeUid: () => number | undefined
  #waiting: Warm[] = []
  #filling: Promise<void> | undefined
  #size: number
  /** Host uids in use here. */
  readonly uids = new Set<number>()

  constructor(host: Host, size: number, freeUid: () => number | undefined) {
    this.#host = host
    this.#size = size
    this.#freeUid = freeUid
  }

  /** How many are ready. */
  get ready(): number {
    return this.#waiting.length
  }

  /** One that is ready now, if there is. Its uid is the caller's to keep from then on. */
  take(): Warm | undefined {
    for (let warm = this.#waiting.shift(); warm; warm = this.#waiting.shift()) {
      if (warm.uid !== undefined) this.uids.delete(warm.uid)
      if (isAlive(warm.handle)) return warm
      void this.#clear(warm)
    }
    return undefined
  }

  /** Starts what is missing, one after the other. Never rejects: whatever hinders it hinders a create too, and tells. */
  fill(): Promise<void> {
    this.#filling ??= this.#fill().finally(() => (this.#filling = undefined))
    return this.#filling
  }

  /** Ends those that wait, and their disks; none is started after this. */
  async close(): Promise<void> {
    this.#size = 0
    await this.#filling
    await Promise.allSettled(this.#waiting.splice(0).map((warm) => this.#clear(warm)))
  }

  async #fill(): Promise<void> {
    try {
      while (this.#waiting.length < this.#size) this.#waiting.push(await this.#start())
    } catch (error) {
      this.#host.log.warn({ error: (error as Error).message }, 'no sandbox could be started ahead')
    }
  }

  async #clear({ sandboxId, handle }: Warm): Promise<void> {
    await this.#host.driver.kill(sandboxId, handle).catch(() => undefined)
    await this.#host.layout.discard(sandboxId)
  }

  async #start(): Promise<Warm> {
    const [sandboxId, uid] = [randomId('i'), this.#freeUid()]
    if (uid !== undefined) this.uids.add(uid)
    try {
      return { sandboxId, uid, ...(await startWaiting(this.#host, sandboxId, uid)) }
    } catch (error) {
      if (uid !== undefined) this.uids.delete(uid)
      await this.#host.layout.discard(sandboxId)
      throw error
    }
  }
}
