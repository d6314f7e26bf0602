import { CommandExitError, type CommandHandle, NotFoundError, Sandbox } from 'e2b'

export interface Size {
  cols: number
  rows: number
}

export interface ShellOptions {
  cwd?: string
  envs?: Record<string, string>
  user?: string
}

/** `lost`: the stream broke, and the shell may go on; `gone`: there is no such shell any more. */
export type ShellEnd = { kind: 'exited'; exitCode: number } | { kind: 'lost' | 'gone'; why: string }

/** A shell on a pseudo-terminal in a sandbox, by E2B's SDK and its settings in the environment. What is typed is sent in order. */
export class Shell {
  readonly pid: number
  readonly #sandbox: Sandbox
  readonly #handle: CommandHandle
  #typed: Uint8Array[] = []
  #sending = false

  private constructor(sandbox: Sandbox, handle: CommandHandle) {
    this.#sandbox = sandbox
    this.#handle = handle
    this.pid = handle.pid
  }

  static async create(
    sandboxId: string,
    onData: (data: Uint8Array) => void,
    options: ShellOptions & Size,
  ): Promise<Shell> {
    const sandbox = await Sandbox.connect(sandboxId)
    return new Shell(sandbox, await sandbox.pty.create({ ...options, onData, timeoutMs: 0 }))
  }

  /** @throws NotFoundError of the SDK where it has ended */
  static async attach(sandboxId: string, onData: (data: Uint8Array) => void, pid: number): Promise<Shell> {
    const sandbox = await Sandbox.connect(sandboxId)
    return new Shell(sandbox, await sandbox.pty.connect(pid, { onData, timeoutMs: 0 }))
  }

  type(data: Uint8Array): void {
    this.#typed.push(data)
    if (!this.#sending) void this.#send()
  }

  resize(size: Size): void {
    // Where the sandbox can't be reached, the stream breaks too, and that is told.
    this.#sandbox.pty.resize(this.pid, size).catch(() => undefined)
  }

  async ended(): Promise<ShellEnd> {
    try {
      const { exitCode } = await this.#handle.wait()
      return { kind: 'exited', exitCode }
    } catch (error) {
      if (error instanceof CommandExitError) return { kind: 'exited', exitCode: error.exitCode }
      return endOf(error)
    }
  }

  async detach(): Promise<void> {
    await this.#handle.disconnect()
  }

  async #send(): Promise<void> {
    this.#sending = true
    while (this.#typed.length > 0) {
      const data = Buffer.concat(this.#typed)
      this.#typed = []
      // Not sent again where it fails: it may have arrived.
      await this.#sandbox.pty.sendInput(this.pid, data).catch(() => undefined)
    }
    this.#sending = false
  }
}

export const endOf = (error: unknown): ShellEnd => ({
  kind: error instanceof NotFoundError ? 'gone' : 'lost',
  why: error instanceof Error ? error.message : String(error),
})
