import { once } from 'node:events'
import { chmod, link, lstat, rm } from 'node:fs/promises'
import { Agent } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Limits } from '../isolation/limits.ts'
import type { Logger } from 'pino'
import type { Authority } from '../egress/authority.ts'
import type { EgressSettings } from '../egress/dial.ts'
import { EgressProxy } from '../egress/proxy.ts'
import type { ArmedFaults } from '../faults/armed.ts'
import type { EnvdSettings, IsolationDriver, Started } from '../isolation/driver.ts'
import { freeze, isAlive, thaw, type ProcessHandle } from '../isolation/processes.ts'
import type { Layout } from './layout.ts'
import { Sampler } from './sampler.ts'
import type { SandboxLog } from './sandbox-log.ts'

/** What all sandboxes of a server share. */
export interface Host {
  layout: Layout
  driver: IsolationDriver
  limits: Limits
  /** envd's bundle. */
  envdScript: string
  /** `host:port` pairs of this host that sandboxes may reach. */
  hostLoopback: string[]
  /** Signs for hosts whose requests get headers on the way out. */
  authority: Authority
  log: Logger
  /** For tests: undefined unless the server was started for it. */
  faults: ArmedFaults | undefined
}

/** Starts a sandbox's processes on its disk, up to where envd waits for its configuration. */
export async function startWaiting(host: Host, sandboxId: string, ids: number | undefined): Promise<Started> {
  const { layout, driver, envdScript } = host
  const owners = driver.owners(ids)
  const folders = await layout.makeFolders(sandboxId, owners)
  await layout.prepareBoot(folders, owners)
  return driver.start({ sandboxId, folders, ids, envdScript })
}

/** The processes of one sandbox, its egress proxy and the way to its envd. It keeps no records. */
export class Machine {
  readonly sandboxId: string
  /** envd's socket, for requests. */
  readonly socketPath: string
  agent = new Agent({ keepAlive: true })
  readonly metrics = new Sampler(() => ({ socketPath: this.socketPath, agent: this.agent }))
  #host: Host
  #log: SandboxLog
  #settings: () => EgressSettings
  #egress: EgressProxy | undefined
  #lifeline: Socket | undefined

  constructor(host: Host, sandboxId: string, log: SandboxLog, settings: () => EgressSettings) {
    this.#host = host
    this.#log = log
    this.#settings = settings
    this.sandboxId = sandboxId
    this.socketPath = host.layout.socket(sandboxId)
  }

  get limits(): Limits {
    return this.#host.limits
  }

  /**
   * Starts the sandbox from its disk, or goes on from where a `warm` one is. `started` is awaited between the
   * processes' start and envd's being told to serve: an envd whose server dies before that ends by itself, so no
   * process is ever left that no record names.
   */
  async boot(
    uid: number | undefined,
    settings: EnvdSettings,
    started: (handle: ProcessHandle) => Promise<void>,
    warm?: Started,
  ): Promise<ProcessHandle> {
    const { handle, configure } = warm ?? (await startWaiting(this.#host, this.sandboxId, uid))
    try {
      await started(handle)
      await this.#listen()
      await configure(settings)
      await this.#adoptSocket(join(this.#host.layout.folders(this.sandboxId).run, 'envd.sock'))
    } catch (error) {
      await this.kill(handle)
      throw error
    }
    return handle
  }

  /** Takes over processes that an earlier server started. */
  async adopt(): Promise<void> {
    await this.#listen()
  }

  /** Calls `ended` once when envd goes without our having ended it. */
  async watch(handle: ProcessHandle, ended: () => void): Promise<void> {
    const [lifeline, earlier] = [connect(this.socketPath), this.#lifeline]
    this.#lifeline = lifeline
    earlier?.destroy()
    lifeline.on('error', () => lifeline.destroy())
    lifeline.once('close', () => {
      if (this.#lifeline === lifeline) ended()
    })
    await once(lifeline, 'connect').catch(() => undefined)
    if (!isAlive(handle)) lifeline.destroy()
    this.metrics.start()
  }

  isAlive(handle: ProcessHandle | undefined): handle is ProcessHandle {
    return handle !== undefined && isAlive(handle)
  }

  /** Processes that are stopped already. */
  stopped(handle: ProcessHandle): number[] {
    return this.#processes(handle)
      .filter(({ state }) => state === 'T')
      .map(({ pid }) => pid)
  }

  async freeze(handle: ProcessHandle): Promise<void> {
    this.#disconnect()
    await freeze(() => this.#processes(handle))
  }

  thaw(handle: ProcessHandle, stoppedBefore: number[]): void {
    thaw(() => this.#processes(handle), stoppedBefore)
  }

  /** Runs a task while all processes stand still; connections stay. */
  async whileStill<T>(handle: ProcessHandle, stoppedBefore: number[], task: () => Promise<T>): Promise<T> {
    try {
      await freeze(() => this.#processes(handle))
      return await task()
    } finally {
      this.thaw(handle, stoppedBefore)
    }
  }

  /** Ends all processes and the way out; resolves once they have gone. */
  async kill(handle: ProcessHandle | undefined): Promise<void> {
    this.#lifeline?.destroy()
    this.#lifeline = undefined
    this.#disconnect()
    if (handle) await this.#host.driver.kill(this.sandboxId, handle)
    this.#egress?.close()
    this.#egress = undefined
  }

  /** To be called once the egress settings have changed. */
  egressChanged(): void {
    this.#egress?.recheck()
  }

  // Connections of before a pause are of no use after it.
  #disconnect(): void {
    this.metrics.stop()
    this.agent.destroy()
    this.agent = new Agent({ keepAlive: true })
  }

  async #listen(): Promise<void> {
    if (this.#egress) return
    const { layout, hostLoopback, authority } = this.#host
    const onRefused = (host: string, port: number, reason: string) =>
      this.#log.info('egress refused', { host, port, reason })
    const egress = new EgressProxy({ settings: this.#settings, hostLoopback, onRefused }, authority)
    await egress.listen(join(layout.folders(this.sandboxId).egress, 'egress.sock'))
    this.#egress = egress
  }

  // The sandbox can put anything in place of its socket, a link to a socket of the host's for one. So we keep a hard
  // link to the very socket, in a folder of ours.
  async #adoptSocket(path: string): Promise<void> {
    await rm(this.socketPath, { force: true })
    await link(path, this.socketPath)
    if (!(await lstat(this.socketPath)).isSocket()) throw new Error(`${path} is no socket`)
    await chmod(this.socketPath, 0o600)
  }

  #processes(handle: ProcessHandle) {
    return this.#host.driver.processes(this.sandboxId, handle)
  }
}
