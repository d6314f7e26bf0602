import { createHash, randomUUID } from 'node:crypto'
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity'
import { isFailureType } from '../../contract/failures.ts'
import type { CommandHeartbeat, CommandResult } from '../../contract/job.ts'
import type { ActivityDeps } from './deps.ts'
import { mapE2BError, mapped, type Sandbox } from './e2b.ts'
import { failure } from './failures.ts'
import { attachCommand, CANNOT_START, cancelCommand, DIVERGED, RUNNER_HOME } from './runner.ts'
import type { SandboxTarget } from './target.ts'
import { type Trailer, TrailerReader } from './trailer.ts'

export interface DurableCommand extends SandboxTarget {
  /** Names the command within its run of the workflow, across activities; the activity's own id if left out. */
  key?: string
  script: string
  cwd: string
  envs?: Record<string, string>
  /** ms after which the runner ends the command, with exit code 124. */
  timeoutMs: number
  /** Whether a failed or unknown run may be followed by another one. Only for commands that find what is done already. */
  repeatable?: boolean
}

const HEARTBEAT_MS = 2_000
const CANCEL_GRACE_MS = 5_000
const SILENCE_MS = 30_000

/** The id of a durable command: the same for every attempt, another for every run of the workflow. */
export function commandIdOf(info: { workflowId: string; runId: string; key: string }): string {
  return createHash('sha256')
    .update([info.workflowId, info.runId, info.key].join('\0'))
    .digest('hex')
    .slice(0, 24)
}

/**
 * Runs a command of the current activity in a sandbox, once, whatever dies: launches it, or attaches to it where an earlier attempt
 * launched it, and waits for its end. At most one per activity.
 *
 * @throws `OutcomeUnknown` where the command began and its end was not recorded; `SandboxUnreachable` where the stream
 * was lost (the next attempt attaches again); CancelledFailure, with the partial result as its detail, after the command was ended.
 */
export async function runDurably(deps: ActivityDeps, command: DurableCommand): Promise<CommandResult> {
  const { info, cancellationSignal } = Context.current()
  if (!info.workflowExecution) throw new Error('durable commands belong to activities of a workflow')
  const commandId = commandIdOf({ ...info.workflowExecution, key: command.key ?? info.activityId })
  const sandbox = await connectFirst(deps, command, info.attempt)
  const follower = new Follower(deps, sandbox, command, commandId)
  const trailer = await follower.follow(cancellationSignal)
  if (trailer.kind === 'unknown')
    throw failure(
      'OutcomeUnknown',
      `the command began, and neither its process nor its exit record is there: ${firstLine(command.script)}`,
      {
        output: deps.secrets.redact(trailer.stderr.head),
      },
    )
  const result = redacted(deps, { commandId, ...trailer })
  if (follower.cancelled) throw new CancelledFailure('the command was ended', [result])
  return result
}

/** A first attempt that doesn't get to the sandbox has begun nothing there, and says so. */
async function connectFirst(
  deps: ActivityDeps,
  { sandboxId, sandboxTimeoutMs }: DurableCommand,
  attempt: number,
): Promise<Sandbox> {
  try {
    return await deps.e2b.connect(sandboxId, sandboxTimeoutMs)
  } catch (error) {
    if (attempt > 1 || !(error instanceof ApplicationFailure) || !isFailureType(error.type)) throw error
    throw failure(error.type, error.message, { cause: error, began: false })
  }
}

/** One attachment to a command: its stream, the heartbeats, and what a cancellation does. */
class Follower {
  cancelled = false
  readonly #context = Context.current()
  readonly #deps: ActivityDeps
  readonly #sandbox: Sandbox
  readonly #command: DurableCommand
  readonly #seen: CommandHeartbeat
  #lastActivity = Date.now()
  #extendedAt = Date.now()

  constructor(deps: ActivityDeps, sandbox: Sandbox, command: DurableCommand, commandId: string) {
    this.#deps = deps
    this.#sandbox = sandbox
    this.#command = command
    const earlier = this.#context.info.heartbeatDetails as CommandHeartbeat | undefined
    this.#seen =
      earlier?.commandId === commandId
        ? { ...earlier }
        : { commandId, stdoutBytes: 0, stderrBytes: 0, recent: '' }
  }

  async follow(cancellation: AbortSignal): Promise<Trailer> {
    const { script, cwd, timeoutMs, repeatable = false, sentinels } = this.#command
    const nonce = randomUUID()
    const reader = new TrailerReader(nonce, (text) => this.#see('stdoutBytes', text))
    const line = attachCommand({
      home: RUNNER_HOME,
      commandId: this.#seen.commandId,
      nonce,
      script,
      cwd,
      timeoutMs,
      repeatable,
      sentinels,
      stdoutOffset: this.#seen.stdoutBytes,
      stderrOffset: this.#seen.stderrBytes,
    })
    const handle = await mapped(() =>
      this.#sandbox.commands.run(line, {
        background: true,
        timeoutMs: 0,
        envs: this.#command.envs ?? {},
        onStdout: (text) => reader.push(text),
        onStderr: (text) => this.#see('stderrBytes', text),
      }),
    )
    const stop = new AbortController()
    const beat = setInterval(() => void this.#beat(stop), HEARTBEAT_MS)
    const onCancel = (): void => void this.#cancel(stop)
    cancellation.addEventListener('abort', onCancel, { once: true })
    if (cancellation.aborted) onCancel()
    this.#heartbeat()
    try {
      await raceAbort(handle.wait(), stop.signal)
    } catch (error) {
      // The follower's own end is told by its trailer; without one the stream was lost, and the command goes on.
      if (stop.signal.aborted) throw stop.signal.reason
      if (!reader.end()) throw notStarted(handle, this.#context.info.attempt) ?? mapE2BError(error)
    } finally {
      clearInterval(beat)
      cancellation.removeEventListener('abort', onCancel)
      this.#heartbeat()
      handle.disconnect().catch(() => undefined) // the stream is over, or lost: either way nothing is left to do
    }
    const trailer = reader.end()
    if (!trailer)
      throw failure('SandboxUnreachable', 'the stream of the command ended early; attaching again')
    return trailer
  }

  #see(counter: 'stdoutBytes' | 'stderrBytes', text: string): void {
    this.#lastActivity = Date.now()
    // Bytes that aren't UTF-8 arrive as U+FFFD, of unknown width: stop counting, and let a later attempt show them again.
    if (!this.#uncertain[counter] && text.includes('\uFFFD')) this.#uncertain[counter] = true
    if (!this.#uncertain[counter]) this.#seen[counter] += Buffer.byteLength(text)
    this.#seen.recent = (this.#seen.recent + text).slice(-4096)
  }
  readonly #uncertain = { stdoutBytes: false, stderrBytes: false }

  #heartbeat(): void {
    this.#context.heartbeat({ ...this.#seen, recent: this.#deps.secrets.redact(this.#seen.recent) })
  }

  async #beat(stop: AbortController): Promise<void> {
    this.#heartbeat()
    const { sandboxTimeoutMs } = this.#command
    const silent = Date.now() - this.#lastActivity > SILENCE_MS
    if (!silent && Date.now() - this.#extendedAt < sandboxTimeoutMs / 3) return
    this.#lastActivity = this.#extendedAt = Date.now()
    // Both a proof of life for a silent stream and the extension that keeps a working sandbox from pausing itself.
    try {
      await mapped(() => this.#sandbox.setTimeout(sandboxTimeoutMs))
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
    try {
      await mapped(() =>
        this.#sandbox.commands.run(cancelCommand(RUNNER_HOME, this.#seen.commandId, CANCEL_GRACE_MS), {
          timeoutMs: 0,
        }),
      )
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

function redacted(deps: ActivityDeps, result: CommandResult & { kind?: string }): CommandResult {
  const { commandId, exitCode, timedOut, startedAt, finishedAt } = result
  const mask = ({ head, tail, bytes }: CommandResult['stdout']): CommandResult['stdout'] => ({
    head: deps.secrets.redact(head),
    tail: deps.secrets.redact(tail),
    bytes,
  })
  return {
    commandId,
    exitCode,
    timedOut,
    stdout: mask(result.stdout),
    stderr: mask(result.stderr),
    startedAt,
    finishedAt,
  }
}

/** Nothing was started: the sandbox isn't what it was, its disk is full, or its default user isn't E2B's. */
function notStarted(
  { exitCode, stderr }: { exitCode?: number | undefined; stderr: string },
  attempt: number,
): Error | undefined {
  if (exitCode === DIVERGED)
    return failure(
      'SandboxDiverged',
      'the sandbox came back without what was last saved',
      attempt === 1 ? { began: false } : {},
    )
  if (exitCode !== CANNOT_START) return undefined
  const message = stderr.trim().split('\n').at(0) ?? 'the runner can not write its folder'
  return failure(/No space left/i.test(stderr) ? 'SandboxNoSpace' : 'SandboxInvalidArgument', message)
}

const firstLine = (script: string): string => script.trim().split('\n')[0]?.slice(0, 200) ?? ''
