import { createHash } from 'node:crypto'
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity'
import { isFailureType } from '../../contract/failures.ts'
import type { CommandResult } from '../../contract/job.ts'
import type { FinishedCommand } from '../../contract/operations/records.ts'
import type { ActivityDeps } from './deps.ts'
import type { Sandbox } from './e2b.ts'
import { executionOf } from './execution.ts'
import { failure } from '../../contract/failure.ts'
import { type CommandLine, type Followed, Follower, type Onlooker, type Stopped } from './follower.ts'
import type { Mode } from './runner.ts'
import type { Trailer } from './trailer.ts'

/** A command to run, once for its key. */
export interface DurableCommand extends CommandLine {
  /** Names the command within its run of the workflow, across activities; the activity's own id if left out. */
  key?: string | undefined
  /** Within which the key names the command, in place of the run: what outlives the run. */
  scope?: string | undefined
  /** Commands of the same user and scope whose results are in the workflow's history: their records go. */
  forget?: FinishedCommand[] | undefined
}

/** The id of a durable command: the same for every attempt, another for every run of the workflow (or other scope). */
export function commandIdOf(info: { workflowId: string; scope: string; key: string }): string {
  return createHash('sha256')
    .update([info.workflowId, info.scope, info.key].join('\0'))
    .digest('hex')
    .slice(0, 24)
}

/** The id of the command of this activity. */
export function currentCommandId({
  key,
  scope,
}: {
  key?: string | undefined
  scope?: string | undefined
}): string {
  const { workflowId, runId } = executionOf()
  return commandIdOf({ workflowId, scope: scope ?? runId, key: key ?? Context.current().info.activityId })
}

/**
 * Runs a command of the current activity in a sandbox, once, whatever dies: launches it, or attaches to it where an earlier attempt
 * launched it, and waits for its end. At most one per activity.
 *
 * @throws `OutcomeUnknown` where the command began and its end was not recorded; `SandboxUnreachable` where the stream
 * was lost (the next attempt attaches again); CancelledFailure, with the partial result as its detail, after the command was ended.
 */
export async function runDurably(
  deps: ActivityDeps,
  command: DurableCommand,
  onlooker?: Onlooker,
): Promise<CommandResult & { stopped?: Stopped }> {
  return followCommand(deps, launched(command, 'run'), onlooker)
}

const launched = ({ forget = [], ...command }: DurableCommand, mode: Mode): Followed => {
  const idOf = (one: FinishedCommand): string =>
    'commandId' in one ? one.commandId : currentCommandId({ key: one.key, scope: command.scope })
  return { ...command, mode, commandId: currentCommandId(command), forgetIds: forget.map(idOf) }
}

/** Starts a command that goes on after the activity; its process group. A second attempt finds it started. */
export async function startDurably(
  deps: ActivityDeps,
  command: DurableCommand,
): Promise<{ commandId: string; pid: number }> {
  const followed = launched(command, 'start')
  const { commandId } = followed
  const trailer = await attachOnce(deps, followed)
  // One that has ended already has a trailer of its end; its process group is of the past.
  return { commandId, pid: trailer.trailer.kind === 'running' ? trailer.trailer.pid : 0 }
}

/** Follows a command to its end; see `runDurably`. @throws `SandboxInvalidArgument` where there is no such command */
export async function followCommand(
  deps: ActivityDeps,
  command: Followed,
  onlooker?: Onlooker,
): Promise<CommandResult & { stopped?: Stopped }> {
  const { trailer, cancelled, stopped } = await attachOnce(deps, command, onlooker)
  if (trailer.kind === 'running') throw new Error('a command that is followed has ended')
  if (trailer.kind === 'unknown')
    throw failure(
      'OutcomeUnknown',
      `the command began, and neither its process nor its exit record is there: ${firstLine(command.script)}`,
      {
        output: deps.secrets.redact(trailer.stderr.head),
      },
    )
  const result = redacted(deps, { commandId: command.commandId, ...trailer })
  if (cancelled) throw new CancelledFailure('the command was ended', [result])
  return { ...result, ...(stopped && { stopped }) }
}

async function attachOnce(
  deps: ActivityDeps,
  command: Followed,
  onlooker?: Onlooker,
): Promise<{ trailer: Trailer; cancelled: boolean; stopped: Stopped | undefined }> {
  const { cancellationSignal } = Context.current()
  const sandbox = await connectFirst(deps, command)
  const mustBeThere = await resumedSince(deps, command)
  const follower = new Follower(deps, sandbox, { ...command, mustBeThere }, onlooker)
  const trailer = await follower.follow(cancellationSignal)
  return { trailer, cancelled: follower.cancelled, stopped: follower.stopped }
}

/** Clocks differ; and a sandbox that paused itself had its whole timeout before. */
const SKEW_MS = 10_000

/**
 * Whether the sandbox was resumed after the command may have begun, perhaps by connecting just now: it may have come back as it
 * was before that. E2B's `startedAt` is the time of the last resume.
 */
async function resumedSince(deps: ActivityDeps, command: Followed): Promise<boolean> {
  const { attempt, scheduledTimestampMs } = Context.current().info
  const since = command.askedAt ?? (attempt > 1 ? scheduledTimestampMs : undefined)
  if (since === undefined || command.repeatable || command.mode === 'attach') return false
  const { startedAt } = await deps.e2b.info(command.sandboxId)
  return startedAt.getTime() > since + Math.min(SKEW_MS, command.sandboxTimeoutMs / 2)
}

/** What a command needs before it is launched. A first attempt that fails here has begun nothing there, and says so. */
export async function beforeBegin<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { attempt } = Context.current().info
    if (attempt > 1 || !(error instanceof ApplicationFailure) || !isFailureType(error.type)) throw error
    throw failure(error.type, error.message, { cause: error, began: false })
  }
}

export const connectFirst = (
  deps: ActivityDeps,
  command: Pick<CommandLine, 'sandboxId' | 'sandboxTimeoutMs' | 'recent'>,
): Promise<Sandbox> => {
  const { sandboxId, sandboxTimeoutMs, recent } = command
  return beforeBegin(() => deps.e2b.connect(sandboxId, sandboxTimeoutMs, recent))
}

function redacted(deps: ActivityDeps, result: CommandResult & { kind?: string }): CommandResult {
  const { commandId, exitCode, timedOut, startedAt, finishedAt } = result
  const mask = ({ head, tail, bytes }: CommandResult['stdout']): CommandResult['stdout'] => {
    const cut = tail !== ''
    return {
      head: deps.secrets.redact(head, { end: cut }),
      tail: deps.secrets.redact(tail, { start: cut }),
      bytes,
    }
  }
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

const firstLine = (script: string): string => script.trim().split('\n')[0]?.slice(0, 200) ?? ''
