import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common'
import {
  CancellationScope,
  ContinueAsNew,
  defineUpdate,
  isCancellation,
  makeContinueAsNewFunc,
  ParentClosePolicy,
  patched,
  setHandler,
  startChild,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow'
import { asPairs, SESSION_COLUMNS_AT_START } from '../contract/search-attributes.ts'
import { batchProblem } from '../contract/operations/batch.ts'
import { SANDBOX_OPERATION_NAMES, SANDBOX_OPERATIONS } from '../contract/operations/table.ts'
import {
  type Held,
  type Hold,
  OPENED_AT_MEMO,
  type SessionArgs,
  type SessionReference,
} from '../contract/session.ts'
import {
  batchUpdate,
  closeUpdate,
  forkUpdate,
  holdUpdate,
  pauseUpdate,
  resumeUpdate,
  sessionQuery,
} from '../contract/session-messages.ts'
import { perform } from './lib/activities.ts'
import { jobFailure } from './lib/failures.ts'
import { inList } from './lib/in-list.ts'
import { operate } from './lib/operate.ts'
import { Session } from './lib/session.ts'

/** Whoever holds it longer asks again. */
const MAX_HOLD_MS = 10 * 60_000

/** A sandbox that lives for months and is shared: every operation is an update of its own name. */
export async function sandboxSession(args: SessionArgs): Promise<void> {
  const session = new Session(args)
  const validator = (): void => session.admit()
  for (const name of SANDBOX_OPERATION_NAMES)
    setHandler(
      defineUpdate<unknown, [object]>(name),
      (input: object | undefined) => session.perform(name, (input ?? {}) as never),
      {
        description: SANDBOX_OPERATIONS[name].does,
        validator: (_input: object) => session.admit(),
      },
    )
  setHandler(batchUpdate, ({ operations }) => session.batch(operations), {
    description:
      'several operations in order: {"operations": [{"name": "files.exists", "input": {"path": "a"}}]}',
    validator: (input) => {
      session.admit()
      const problem = batchProblem(input?.operations)
      if (problem) throw jobFailure('SandboxInvalidArgument', problem)
    },
  })
  setHandler(pauseUpdate, () => session.pause(), {
    description: 'pause the sandbox when what runs has ended; the next use resumes it',
    validator,
  })
  setHandler(resumeUpdate, () => session.resume(), { description: 'resume the sandbox', validator })
  setHandler(holdUpdate, (input) => hold(input), {
    description: 'keep the sandbox from an idle pause for a time: {"ms": 60000}',
    validator: (input) => {
      session.admit()
      if (!(input?.ms >= 1 && input.ms <= MAX_HOLD_MS))
        throw jobFailure('SandboxInvalidArgument', `ms: is not between 1 and ${MAX_HOLD_MS}`)
    },
  })
  setHandler(forkUpdate, (input) => session.answers.once(() => fork(input)), {
    description: 'another session with a copy of the sandbox: {"id": "…"}',
    validator: (input) => {
      session.admit()
      if (typeof input?.id !== 'string' || input.id === '')
        throw jobFailure('InvalidSpec', 'id: is missing; name the new session, as in {"id": "copy"}')
    },
  })
  setHandler(closeUpdate, () => session.close(), {
    description: 'end what runs, and the sandbox',
    validator,
  })
  setHandler(sessionQuery, () => session.status, { description: 'The sandbox, and who uses it' })

  try {
    const next = await session.live()
    if (next) await nextRun(next)
    await CancellationScope.nonCancellable(() => cleanUp())
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error
    await CancellationScope.nonCancellable(() => cleanUp())
    if (!isCancellation(error)) throw error
  }

  async function fork({ id }: { id: string }): Promise<SessionReference> {
    const key = uuid4()
    const readable = `holdfast-${id}`.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-')
    const name = `${readable.slice(0, 51)}-${key.slice(0, 8)}`
    const { snapshotId } = await session.perform('sandbox.createSnapshot', { name }, key)
    const sandbox = { ...args.spec.sandbox, template: snapshotId }
    try {
      await startChild(sandboxSession, {
        workflowId: id,
        args: [{ spec: { ...args.spec, id, sandbox }, snapshotId }],
        parentClosePolicy: ParentClosePolicy.ABANDON,
        staticSummary: 'a fork',
        ...(inList() && { typedSearchAttributes: asPairs(SESSION_COLUMNS_AT_START) }),
      })
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error
      if (patched('a fork whose id is in use leaves no snapshot')) await deleteSnapshot(snapshotId)
      throw jobFailure('SpecConflict', `the id ${id} is in use`)
    }
    return { version: 1, id }
  }

  async function hold({ ms, renew = false }: Hold): Promise<Held> {
    const { state, sandbox } = session.status
    if (renew && state === 'paused') return { sandboxId: sandbox.sandboxId ?? '', state }
    await session.perform('sandbox.setTimeout', { timeoutMs: args.spec.sandbox.timeout })
    session.hold(ms)
    return { sandboxId: session.status.sandbox.sandboxId ?? '', state: 'running' }
  }

  async function nextRun(next: SessionArgs): Promise<never> {
    // a memo given here replaces the one there is
    const memo = { ...workflowInfo().memo, [OPENED_AT_MEMO]: session.status.openedAt }
    return makeContinueAsNewFunc<typeof sandboxSession>({ memo })(next)
  }

  async function cleanUp(): Promise<void> {
    await session.end()
    await perform('deleteArtifacts', 'delete the outputs, and the pictures that code made')
    if (args.snapshotId) await deleteSnapshot(args.snapshotId)
  }
}

const deleteSnapshot = (snapshotId: string) =>
  operate('sandbox.deleteSnapshot', { target: undefined, input: { snapshotId } })
