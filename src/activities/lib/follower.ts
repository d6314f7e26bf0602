import { AsyncResource } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import { Context } from '@temporalio/activity'
import type { CommandHeartbeat } from '../../contract/job.ts'
import type { OutputStream } from '../../contract/output.ts'
import type { ActivityDeps } from './deps.ts'
import { type OutputLogs, withOutputLogs } from './output-log.ts'
import { MaskedStream } from './mask.ts'
import { mapE2BError, mapped, type Sandbox } from './e2b.ts'
import { HEARTBEAT_MS } from './heartbeat.ts'
import { failure } from '../../contract/failure.ts'
import { tellMissed } from './missed.ts'
import {
  attachCommand,
  CANNOT_START,
  cancelCommand,
  DIVERGED,
  FORGOTTEN,
  type Mode,
  NO_COMMAND,
  runnerHome,
} from './runner.ts'
import type { SandboxTarget } from './target.ts'
import { type Trailer, TrailerReader } from './trailer.ts'

const CANCEL_GRACE_MS = 5_000
const CANCEL_PATIENCE_MS = 5_000
const SILENCE_MS = 30_000

export interface CommandLine extends SandboxTarget {
  script: string
  cwd: string
  envs?: Record<string, string> | undefined
  /** By whom it runs; E2B's default user if left out. */
  user?: string | undefined
  /** Whether a connection of a moment ago will do. */
  recent?: boolean | undefined
  /** ms after which the runner ends the command, with exit code 124; 0 for never. */
  timeoutMs: number
  stdin?: boolean
  /** Under which its output is kept as it comes, for whoever follows it; not kept if left out. */
  output?: string | undefined
  /** Whether a failed or unknown run may be followed by another one. Only for commands that find what is done already. */
  repeatable?: boolean
}

/** A command to launch or attach to, by its id. */
export type Followed = CommandLine & {
  mode: Mode
  commandId: string
  /** ms after which the follower leaves, and the command goes on. */
  waitMs?: number
  /** See `Launch`. */
  mustBeThere?: boolean
  /** See `forget` of `Launch`. */
  forgetIds?: string[]
}

/** Why a follower ended a command that nobody cancelled. */
export type Stopped = 'idle' | 'enough'

/** Looks on while a command runs, and may have enough of it. */
export interface Onlooker {
  /** ms without output after which the command is ended. */
  idleMs: number
  /** What comes on stdout. @returns whether the command is to be ended */
  see(text: string): boolean
}

/** One attachment to a command: its stream, the heartbeats, and what a cancellation does. */
export class Follower {
  cancelled = false
  stopped: Stopped | undefined
  readonly #context = Context.current()
  readonly #deps: ActivityDeps
  readonly #sandbox: Sandbox
  readonly #command: Followed
  readonly #onlooker: Onlooker | undefined
  readonly #seen: CommandHeartbeat
  #logs: OutputLogs | undefined
  readonly #shown: Record<OutputStream, MaskedStream>
  #over = false
  #lastActivity = Date.now()
  #lastOutput = Date.now()
  #stop: AbortController | undefined
  #extendedAt = Date.now()

  constructor(deps: ActivityDeps, sandbox: Sandbox, command: Followed, onlooker?: Onlooker) {
    this.#onlooker = onlooker
    this.#deps = deps
    this.#sandbox = sandbox
    this.#command = command
    this.#shown = { stdout: new MaskedStream(deps.secrets), stderr: new MaskedStream(deps.secrets) }
    const { commandId } = command
    const earlier = this.#context.info.heartbeatDetails as CommandHeartbeat | undefined
    this.#seen =
      earlier?.commandId === commandId
        ? { ...earlier }
        : { commandId, stdoutBytes: 0, stderrBytes: 0, recent: '' }
  }

  async follow(cancellation: AbortSignal): Promise<Trailer> {
    const { output, sandboxNumber } = this.#command
    if (output === undefined) return this.#attach(cancellation)
    return withOutputLogs(this.#deps, { name: output, sandboxNumber }, (logs) => {
      const [stdoutBytes, stderrBytes] = [logs.stdout.end, logs.stderr.end]
      // What an earlier attempt saw and did not keep is asked for again.
      if (stdoutBytes < this.#seen.stdoutBytes || stderrBytes < this.#seen.stderrBytes) this.#seen.recent = ''
      Object.assign(this.#seen, { stdoutBytes, stderrBytes })
      this.#logs = logs
      return this.#attach(cancellation)
    })
  }

  async #attach(cancellation: AbortSignal): Promise<Trailer> {
    const { script, cwd, timeoutMs, mode, user, sentinels } = this.#command
    const { stdin = false, repeatable = false, mustBeThere = false, forgetIds = [] } = this.#command
    const nonce = randomUUID()
    const missed =
      this.#onlooker &&
      (await tellMissed(this.#sandbox, this.#command, this.#onlooker, this.#seen.stdoutBytes))
    if (missed) this.#lastOutput = missed.lastOutput
    const reader = new TrailerReader(nonce, (text) => this.#see('stdout', text))
    const line = attachCommand({
      home: runnerHome(user),
      commandId: this.#seen.commandId,
      mode,
      nonce,
      stdin,
      script,
      cwd,
      timeoutMs,
      repeatable,
      sentinels,
      mustBeThere,
      forget: forgetIds,
      stdoutOffset: this.#seen.stdoutBytes,
      stderrOffset: this.#seen.stderrBytes,
    })
    const handle = await mapped('commands.run', () =>
      this.#sandbox.commands.run(line, {
        background: true,
        timeoutMs: 0,
        envs: this.#command.envs ?? {},
        ...(user && { user }),
        onStdout: (text) => reader.push(text),
        onStderr: (text) => this.#see('stderr', text),
      }),
    )
    const stop = (this.#stop = new AbortController())
    const { waitMs } = this.#command
    const patience =
      waitMs && setTimeout(() => stop.abort(failure('TimedOut', `it still runs after ${waitMs} ms`)), waitMs)
    const beat = setInterval(() => void this.#beat(stop), HEARTBEAT_MS)
    // Whoever aborts, what follows is this activity's: its calls count as its own.
    const onCancel = AsyncResource.bind((): void => void this.#cancel(stop))
    cancellation.addEventListener('abort', onCancel, { once: true })
    if (cancellation.aborted) onCancel()
    if (missed?.enough) this.#endFor('enough')
    try {
      await raceAbort(handle.wait(), stop.signal)
    } catch (error) {
      this.#heartbeat()
      // The follower's own end is told by its trailer; without one the stream was lost, and the command goes on.
      if (stop.signal.aborted) throw stop.signal.reason
      if (!reader.end())
        throw notStarted(handle, this.#context.info.attempt === 1 && !mustBeThere) ?? mapE2BError(error)
    } finally {
      this.#over = true
      clearInterval(beat)
      if (patience) clearTimeout(patience)
      cancellation.removeEventListener('abort', onCancel)
      handle.disconnect().catch(() => undefined) // the stream is over, or lost: either way nothing is left to do
    }
    const trailer = reader.end()
    if (!trailer) {
      this.#heartbeat()
      throw failure('SandboxUnreachable', 'the stream of the command ended early; attaching again')
    }
    if (trailer.kind !== 'running' && !trailer.streamed)
      for (const stream of ['stdout', 'stderr'] as const)
        if (trailer[stream].bytes > 0) this.#see(stream, trailer[stream].head)
    return trailer
  }

  #see(stream: OutputStream, text: string): void {
    this.#lastActivity = this.#lastOutput = Date.now()
    this.#logs?.[stream].push(text)
    if (stream === 'stdout' && this.#onlooker?.see(text)) this.#endFor('enough')
    const counter = `${stream}Bytes` as const
    // Bytes that aren't UTF-8 arrive as U+FFFD, of unknown width: stop counting, and let a later attempt show them again.
    if (!this.#uncertain[counter] && text.includes('\uFFFD')) this.#uncertain[counter] = true
    if (!this.#uncertain[counter]) this.#seen[counter] += Buffer.byteLength(text)
    this.#seen.recent = (this.#seen.recent + this.#shown[stream].push(text)).slice(-4096)
  }
  readonly #uncertain = { stdoutBytes: false, stderrBytes: false }

  /** Billed, and a write of Temporal's: not of a command that is done before the first is due. */
  #heartbeat(): void {
    // What waits, since it may be the beginning of a secret, is asked for again by who attaches next.
    const shown = (bytes: number, { waiting }: MaskedStream): number =>
      Math.max(0, bytes - Buffer.byteLength(waiting))
    const stdoutBytes = shown(this.#seen.stdoutBytes, this.#shown.stdout)
    const stderrBytes = shown(this.#seen.stderrBytes, this.#shown.stderr)
    this.#context.heartbeat({ ...this.#seen, stdoutBytes, stderrBytes })
  }

  async #beat(stop: AbortController): Promise<void> {
    this.#heartbeat()
    if (Date.now() - this.#lastOutput > (this.#onlooker?.idleMs ?? Infinity)) this.#endFor('idle')
    const { sandboxId, sandboxTimeoutMs } = this.#command
    const silent = Date.now() - this.#lastActivity > SILENCE_MS
    if (!silent && Date.now() - this.#extendedAt < sandboxTimeoutMs / 3) return
    this.#lastActivity = this.#extendedAt = Date.now()
    // Both a proof of life for a silent stream and the extension that keeps a working sandbox from pausing itself.
    try {
      const extend = (): Promise<void> => this.#sandbox.setTimeout(sandboxTimeoutMs)
      await this.#deps.e2b.ofRunning('sandbox.setTimeout', sandboxId, extend)
    } catch (error) {
      stop.abort(error)
    }
  }

  async #cancel(stop: AbortController): Promise<void> {
    // Only a cancellation of the job may end its command. A worker that stops, or an attempt that Temporal has given up
    // (another one may be attached by now), lets go of it.
    if (!this.#context.cancellationDetails?.cancelRequested) {
      stop.abort(
        failure(
          'WorkerStopping',
          'this worker lets go of the command, which goes on; another one attaches to it',
        ),
      )
      return
    }
    this.cancelled = true
    await this.#end(stop)
  }

  #endFor(why: Stopped): void {
    if (this.stopped || this.cancelled || !this.#stop) return
    this.stopped = why
    void this.#end(this.#stop)
  }

  async #end(stop: AbortController): Promise<void> {
    const { user } = this.#command
    const line = cancelCommand(runnerHome(user), this.#seen.commandId, CANCEL_GRACE_MS, CANCEL_PATIENCE_MS)
    try {
      // The stream may be open before the command has begun; then nothing is said.
      for (let told = ''; told === '' && !this.#over;)
        told = await mapped('commands.run', async () => {
          const { stdout } = await this.#sandbox.commands.run(line, { timeoutMs: 0, ...(user && { user }) })
          return stdout
        })
    } catch (error) {
      stop.abort(error)
    }
  }
}

async function raceAbort(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<never>((_, reject) => {
    const fire = (): void => reject(signal.reason as Error)
    if (signal.aborted) fire()
    else signal.addEventListener('abort', fire, { once: true })
  })
  await Promise.race([work, aborted])
}

/** Nothing was started: the sandbox isn't what it was, its disk is full, or its default user isn't E2B's. */
function notStarted(
  { exitCode, stderr }: { exitCode?: number | undefined; stderr: string },
  first: boolean,
): Error | undefined {
  if (exitCode === DIVERGED)
    return failure(
      'SandboxDiverged',
      'the sandbox came back without what was last written there',
      first ? { began: false } : {},
    )
  if (exitCode === FORGOTTEN)
    return failure('OutcomeUnknown', 'the command has run and ended; its record is not kept any more')
  if (exitCode === NO_COMMAND)
    return failure('SandboxInvalidArgument', 'commandId: the sandbox has no such command')
  if (exitCode !== CANNOT_START) return undefined
  const message = stderr.trim().split('\n').at(0) ?? 'the runner can not write its folder'
  return failure(/No space left/i.test(stderr) ? 'SandboxNoSpace' : 'SandboxInvalidArgument', message)
}
