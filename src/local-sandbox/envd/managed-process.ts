import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync } from 'node:fs'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Ids } from './account.ts'
import { startAwakeTimer } from './awake-timer.ts'
import { EventQueue } from './event-queue.ts'
import { describeEnd, type ProcessEnd } from './process-end.ts'
import { openPty, withoutTerminals, type Pty, type PtySize } from './pty.ts'
import type { Pipes } from './stdio.ts'

export interface ProcessSpec {
  cmd: string
  args: string[]
  /** The variables of the call alone, as `List` answers them. */
  envs: Record<string, string>
  /** The whole environment. */
  env: Record<string, string>
  cwd: string
  /** Who it runs as; envd's own user where undefined. */
  ids: Ids | undefined
  tag: string | undefined
  /** Whether stdin is a pipe; otherwise it is `/dev/null`. */
  stdin: boolean
  /** Size of the terminal to run it in, in place of pipes. */
  pty: PtySize | undefined
  /** Life of the process in milliseconds of awake time; undefined is unlimited. */
  timeoutMs: number | undefined
}

type Output = 'stdout' | 'stderr' | 'pty'

export type ProcessEvent =
  | { kind: 'start'; pid: number }
  | { kind: 'data'; output: Output; bytes: Uint8Array }
  | { kind: 'end'; end: ProcessEnd }
  | { kind: 'expired' }

// A reader that doesn't keep up slows the process down instead of filling the memory.
const highWaterBytes = 1024 * 1024

/** One process started by a client, and whoever reads its events. */
export class ManagedProcess {
  readonly pid: number
  readonly spec: ProcessSpec
  end: ProcessEnd | undefined
  #child: ChildProcess
  #stdin: Socket | undefined
  #outputs: Socket[]
  #pty: Pty | undefined
  #readers = new Set<EventQueue<ProcessEvent>>()
  #exit: Promise<unknown>
  #expired = false
  #ended: (process: ManagedProcess) => void

  private constructor(
    spec: ProcessSpec,
    child: ChildProcess,
    stdin: Socket | undefined,
    outputs: Socket[],
    pty: Pty | undefined,
    ended: (process: ManagedProcess) => void,
  ) {
    this.spec = spec
    this.pid = child.pid!
    this.#child = child
    this.#stdin = stdin
    this.#outputs = outputs
    this.#pty = pty
    this.#ended = ended
    this.#exit = once(child, 'exit')
    if (pty) child.once('exit', () => pty.finish())
    for (const [index, output] of outputs.entries()) {
      output.on('data', (bytes) => this.#data(pty ? 'pty' : index === 0 ? 'stdout' : 'stderr', bytes))
      output.on('error', () => output.destroy())
    }
    stdin?.on('error', () => stdin.destroy())
    void this.#finish()
  }

  /** Starts it; throws what `spawn` reports. `ended` is called once, when exit and all output have been told. */
  static async start(
    spec: ProcessSpec,
    pipes: Pipes,
    ended: (process: ManagedProcess) => void,
  ): Promise<ManagedProcess> {
    if (spec.pty) return ManagedProcess.#inTerminal(spec, spec.pty, pipes.dir, ended)
    const stdin = spec.stdin ? pipes.toChild() : undefined
    const stdout = pipes.fromChild()
    const stderr = pipes.fromChild()
    const theirs = [stdin?.theirs ?? 'ignore', stdout.theirs, stderr.theirs] as const
    try {
      const child = await spawned(spec, [...theirs])
      return new ManagedProcess(spec, child, stdin?.ours, [stdout.ours, stderr.ours], undefined, ended)
    } catch (error) {
      for (const socket of [stdin?.ours, stdout.ours, stderr.ours]) socket?.destroy()
      throw error
    } finally {
      for (const fd of theirs) if (typeof fd === 'number') closeSync(fd)
    }
  }

  static async #inTerminal(
    spec: ProcessSpec,
    size: PtySize,
    runDir: string,
    ended: (process: ManagedProcess) => void,
  ): Promise<ManagedProcess> {
    const pty = openPty(size, runDir, spec.ids)
    const { cwd, env, ids } = spec
    try {
      const { theirs } = pty
      // setsid makes it the terminal's session, which job control needs, and becomes the program itself.
      const args = ['--ctty', spec.cmd, ...spec.args]
      const child = spawn('setsid', args, {
        cwd,
        env,
        ...ids,
        stdio: withoutTerminals([theirs, theirs, theirs]),
      })
      if (child.pid === undefined) throw (await once(child, 'error'))[0]
      return new ManagedProcess(spec, child, pty.ours, [pty.ours], pty, ended)
    } catch (error) {
      pty.ours.destroy()
      throw error
    }
  }

  /** Resizes the terminal, which tells the programs in it. False where there is none. */
  resize(size: PtySize): boolean {
    if (this.#pty && !this.#pty.ours.destroyed) this.#pty.resize(size)
    return this.#pty !== undefined
  }

  /** Events from now on, the `start` first. */
  subscribe(): EventQueue<ProcessEvent> {
    const queue = new EventQueue<ProcessEvent>(() => this.#throttle())
    queue.push({ kind: 'start', pid: this.pid })
    if (this.#expired) queue.push({ kind: 'expired' })
    else if (this.end) queue.push({ kind: 'end', end: this.end })
    this.#readers.add(queue)
    return queue
  }

  unsubscribe(queue: EventQueue<ProcessEvent>): void {
    this.#readers.delete(queue)
    this.#throttle()
  }

  /** Sends a signal; after SIGKILL it returns only once the process is gone. */
  async signal(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#child.kill(signal)
    if (signal === 'SIGKILL') await this.#exit
  }

  /** Writes to stdin. Throws where stdin is closed. */
  write(bytes: Uint8Array): Promise<void> {
    const stdin = this.#stdin
    if (!stdin?.writable) return Promise.reject(new Error('stdin of the process is closed'))
    return new Promise((resolve, reject) =>
      stdin.write(bytes, (error) => (error ? reject(error) : resolve())),
    )
  }

  closeStdin(): void {
    this.#stdin?.end()
  }

  #data(output: Output, bytes: Uint8Array): void {
    for (const reader of this.#readers) reader.push({ kind: 'data', output, bytes }, bytes.length)
    this.#throttle()
  }

  #throttle(): void {
    const full = [...this.#readers].some(({ bytes }) => bytes > highWaterBytes)
    for (const output of this.#outputs) if (full !== output.isPaused()) output[full ? 'pause' : 'resume']()
  }

  async #finish(): Promise<void> {
    const { timeoutMs } = this.spec
    const cancel = timeoutMs === undefined ? undefined : startAwakeTimer(timeoutMs, () => this.#expire())
    const closed = this.#outputs.map((output) => new Promise((resolve) => output.once('close', resolve)))
    await Promise.all([this.#exit, ...closed])
    cancel?.()
    this.#stdin?.destroy()
    this.end = describeEnd(this.#child.exitCode, this.#child.signalCode)
    if (!this.#expired) for (const reader of this.#readers) reader.push({ kind: 'end', end: this.end })
    this.#ended(this)
  }

  // Children of the process may hold its output open for ever: what they write after this is nobody's.
  #expire(): void {
    this.#expired = true
    this.#child.kill('SIGKILL')
    for (const output of this.#outputs) output.destroy()
    // Whoever is told so may rely on the process's being gone.
    void this.#exit.then(() => {
      for (const reader of this.#readers) reader.push({ kind: 'expired' })
    })
  }
}

/** A program that isn't there is started through a shell, which reports it and exits with 127. */
async function spawned(spec: ProcessSpec, stdio: (number | 'ignore')[]): Promise<ChildProcess> {
  const options = { cwd: spec.cwd, env: spec.env, ...spec.ids, stdio, detached: true } as const
  const start = async (cmd: string, args: string[]) => {
    // A session of its own: `kill 0` in a command must not reach envd.
    const child = spawn(cmd, args, { ...options, stdio: withoutTerminals(stdio) })
    if (child.pid === undefined) throw (await once(child, 'error'))[0]
    return child
  }
  try {
    return await start(spec.cmd, spec.args)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return start('/bin/sh', ['-c', 'exec "$0" "$@"', spec.cmd, ...spec.args])
  }
}
