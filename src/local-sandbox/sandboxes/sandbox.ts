import { conflict, notFound } from '../errors.ts'
import { createExclusive } from '../exclusive.ts'
import { keepHome, loseFiles } from '../faults/lose-files.ts'
import { giveDisk, loadDisk, saveDisk } from './disk.ts'
import { EnvdClient } from './envd-client.ts'
import type { Started } from '../isolation/driver.ts'
import { Machine, type Host } from './machine.ts'
import { egressSettings, endIn, envdSettings, type SandboxRecord } from './record.ts'
import { SandboxLog } from './sandbox-log.ts'
import { runStartCommand } from './start-command.ts'
import type { RecordStore } from './store.ts'

// setTimeout's limit; a later end is looked at again then.
const maxTimerMs = 2 ** 31 - 1
// What an automatic resume gives at least, in seconds, as the platform does.
const minAutoResumeSeconds = 300
// After which a kill or expiry that has failed is tried again.
const againMs = 10_000

/** One sandbox and all that can happen to it. Whatever changes it happens one after the other. */
export class Sandbox {
  record: SandboxRecord
  readonly machine: Machine
  readonly log: SandboxLog
  #host: Host
  #store: RecordStore
  #forget: () => void
  #exclusive = createExclusive()
  /** `unkilled` is one whose kill has failed: it is good for another one, and nothing else. */
  #state: 'open' | 'killing' | 'unkilled' | 'gone' = 'open'
  #killed = new AbortController()
  #cuts = new Set<() => void>()
  #timer: NodeJS.Timeout | undefined

  /** `forget` is called once it has gone. */
  constructor(record: SandboxRecord, host: Host, store: RecordStore, forget: () => void) {
    this.record = record
    this.#host = host
    this.#store = store
    this.#forget = forget
    const sandboxId = record.sandboxID
    this.log = new SandboxLog(host.log.child({ sandboxId }), host.layout.folders(sandboxId).events)
    this.machine = new Machine(host, sandboxId, this.log, () => egressSettings(this.record))
  }

  get id(): string {
    return this.record.sandboxID
  }

  /** `running` or `paused`, as clients are told; one being paused counts as paused. */
  get state(): 'running' | 'paused' {
    return this.record.state === 'running' || this.record.state === 'starting' ? 'running' : 'paused'
  }

  /** First start of a new one, on a copy of `disk` where given, else from a `warm` one. */
  start({ disk, warm }: { disk?: string | undefined; warm?: Started | undefined }): Promise<void> {
    return this.#change(async () => {
      const { layout, driver } = this.#host
      if (disk !== undefined) await loadDisk(layout, disk, this.id, driver.owners(this.record.uid))
      await this.#boot(warm)
      const { start } = this.record
      if (start) await runStartCommand(new EnvdClient(this.machine.socketPath), start, this.#killed.signal)
      this.log.info('sandbox created', { template: this.record.templateID, endAt: this.record.endAt })
    })
  }

  /** Takes over what an earlier server left: goes on, stays paused, or finishes what that one was at. */
  recover(): Promise<void> {
    return this.#change(async () => {
      const { process, state } = this.record
      if (this.record.building) return this.#remove()
      const alive = this.machine.isAlive(process)
      if (state === 'starting' || (!alive && state === 'running')) {
        this.log.warn('sandbox lost: its processes have gone', { state })
        return this.#remove()
      }
      if (!alive) return this.#save({ state: 'paused', process: undefined })
      if (this.record.copying) {
        this.machine.thaw(process, this.record.stoppedBefore)
        await this.#save({ copying: false, stoppedBefore: [] })
      }
      await this.machine.adopt()
      if (state === 'running') await this.#open()
      else await this.#freeze()
      this.log.info('sandbox taken over by a new server', { state: this.record.state })
    })
  }

  /** Pauses. Throws 409 where it is paused already. */
  pause(memory: boolean): Promise<void> {
    return this.#change(async () => {
      if (this.record.state === 'paused') throw conflict(`sandbox ${this.id} is already paused`)
      await this.#pause(memory)
    })
  }

  /** Resumes a paused one (true) or extends a running one's timeout (false). `memory` false starts it from disk. */
  connect(seconds: number, memory = true): Promise<boolean> {
    if (this.#state === 'killing') throw conflict(`sandbox ${this.id} is being killed`)
    return this.#change(async () => {
      if (this.record.state === 'running') {
        if (endIn(seconds) > this.record.endAt) await this.#setEnd(seconds)
        return false
      }
      await this.#resume(seconds, memory)
      this.log.info('sandbox resumed', { endAt: this.record.endAt })
      return true
    })
  }

  /** Sets the end to `seconds` from now. Throws 404 where it is paused, as the platform does. */
  setTimeout(seconds: number): Promise<void> {
    return this.#change(async () => {
      if (this.record.state !== 'running') throw notFound(this.id)
      await this.#setEnd(seconds)
    })
  }

  /** Puts other egress settings in force; connections that they don't allow are cut. */
  setEgress(changes: Pick<SandboxRecord, 'allowInternetAccess' | 'network'>): Promise<void> {
    return this.#change(async () => {
      await this.#save(changes)
      this.machine.egressChanged()
    })
  }

  /** Copies the disk to a new folder, with all processes at a standstill. Throws 409 where it is paused. */
  saveDisk(to: string): Promise<void> {
    return this.#change(async () => {
      if (this.record.state !== 'running')
        throw conflict(`sandbox ${this.id} can't be copied while it is paused; resume it first`)
      const process = this.record.process!
      const { layout } = this.#host
      // The less is left to write, the shorter is the standstill.
      await layout.images?.settle(this.id, layout.folders(this.id).disk)
      const stoppedBefore = this.machine.stopped(process)
      await this.#save({ copying: true, stoppedBefore })
      try {
        await this.machine.whileStill(process, stoppedBefore, () => saveDisk(layout, this.id, to))
      } finally {
        await this.#save({ copying: false, stoppedBefore: [] })
      }
    })
  }

  /** Kills; resolves once processes, disk and record have gone. Throws what is in the way, and is tried again then. */
  async kill(): Promise<void> {
    if (this.#state === 'killing' || this.#state === 'gone') throw notFound(this.id)
    this.#state = 'killing'
    this.#killed.abort(conflict(`sandbox ${this.id} is being killed`))
    await this.#exclusive(() => this.#remove())
  }

  /** Whether traffic may pass now; a paused one with auto-resume is resumed for it. */
  async admit(): Promise<boolean> {
    if (this.#state !== 'open') return false
    if (this.record.state === 'running') return true
    if (!this.record.autoResume || this.record.process === undefined) return false
    await this.connect(Math.max(this.record.timeout, minAutoResumeSeconds))
    return true
  }

  /** Keeps what cuts a client off, for a pause or kill to call it, until the function returned is called. */
  track(cut: () => void): () => void {
    this.#cuts.add(cut)
    return () => void this.#cuts.delete(cut)
  }

  /** Resolves once what is being changed is done. */
  async idle(): Promise<void> {
    await this.#exclusive(() => Promise.resolve())
  }

  #change<T>(task: () => Promise<T>): Promise<T> {
    return this.#exclusive(() => {
      if (this.#state !== 'open') throw notFound(this.id)
      return task()
    })
  }

  async #boot(warm?: Started): Promise<void> {
    const settings = envdSettings(this.record)
    await this.machine.boot(this.record.uid, settings, (process) => this.#save({ process }), warm)
    await this.#save({ state: 'running', stoppedBefore: [] })
    await this.#open()
  }

  async #open(): Promise<void> {
    const process = this.record.process!
    await this.machine.watch(
      process,
      () => void this.#change(() => this.#ended(process.pid)).catch(() => undefined),
    )
    this.#armTimer()
  }

  // A paused one keeps its disk, so it can still be resumed from that.
  async #ended(pid: number): Promise<void> {
    if (this.record.process?.pid !== pid) return
    this.log.warn('sandbox ended by itself: its envd has gone')
    if (this.record.state === 'running') return this.#remove()
    await this.machine.kill(this.record.process)
    await this.#save({ process: undefined })
  }

  async #pause(memory: boolean): Promise<void> {
    clearTimeout(this.#timer)
    const process = this.record.process!
    await this.#save({ state: 'pausing', stoppedBefore: memory ? this.machine.stopped(process) : [] })
    this.#cut()
    if (memory) await this.#freeze()
    else {
      await this.machine.kill(process)
      await this.#save({ state: 'paused', process: undefined })
    }
    this.log.info('sandbox paused', { memory })
    const { faults, layout } = this.#host
    if (faults?.has('loseFiles', this.id)) await keepHome(layout.folders(this.id))
  }

  async #freeze(): Promise<void> {
    await this.machine.freeze(this.record.process!)
    await this.#save({ state: 'paused' })
  }

  async #resume(seconds: number, memory: boolean): Promise<void> {
    const { process, stoppedBefore } = this.record
    const now = new Date().toISOString()
    const { faults, layout, driver } = this.#host
    if (faults?.take({ kind: 'resume', sandboxId: this.id }).length) await loseFiles(layout.folders(this.id))
    if (memory && this.machine.isAlive(process)) {
      this.machine.thaw(process, stoppedBefore)
      await this.#save({ state: 'running', stoppedBefore: [], startedAt: now, endAt: endIn(seconds) })
      return this.#open()
    }
    this.log.info('sandbox resumes from its disk: no memory of its processes')
    await this.machine.kill(process)
    await this.#save({ process: undefined, startedAt: now, endAt: endIn(seconds) })
    await layout.provideDisk(this.id)
    // It may have been another kind of server's.
    await giveDisk(layout.folders(this.id), driver.owners(this.record.uid))
    await this.#boot()
  }

  async #remove(): Promise<void> {
    clearTimeout(this.#timer)
    this.#state = 'killing'
    this.#cut()
    try {
      await this.machine.kill(this.record.process)
      await this.#host.layout.discard(this.id)
      await this.#store.remove(this.id)
    } catch (error) {
      this.log.error('kill failed', { error: (error as Error).message })
      this.#state = 'unkilled'
      this.#timer = setTimeout(() => void this.kill().catch(() => undefined), againMs)
      throw error
    }
    this.log.info('sandbox killed')
    this.#state = 'gone'
    this.#forget()
  }

  #cut(): void {
    for (const cut of this.#cuts) cut()
    this.#cuts.clear()
  }

  async #setEnd(seconds: number): Promise<void> {
    await this.#save({ endAt: endIn(seconds) })
    this.#armTimer()
  }

  #armTimer(): void {
    clearTimeout(this.#timer)
    const left = Date.parse(this.record.endAt) - Date.now()
    this.#timer = setTimeout(() => void this.#expire(), Math.min(Math.max(left, 0), maxTimerMs))
  }

  async #expire(): Promise<void> {
    await this.#change(async () => {
      if (this.record.state !== 'running') return
      if (Date.parse(this.record.endAt) > Date.now()) return this.#armTimer()
      const { autoPause, autoPauseMemory } = this.record
      this.log.info('sandbox reached its timeout', { autoPause })
      if (autoPause) await this.#pause(autoPauseMemory)
      else await this.#remove()
    }).catch((error: Error) => {
      this.log.error('expiry failed', { error: error.message })
      if (this.#state === 'open') this.#timer = setTimeout(() => void this.#expire(), againMs)
    })
  }

  async #save(changes: Partial<SandboxRecord>): Promise<void> {
    const record = { ...this.record, ...changes }
    await this.#store.save(record)
    this.record = record
  }
}
