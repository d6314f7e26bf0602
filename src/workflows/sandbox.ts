import { CancellationScope, defineSignal, setHandler, uuid4 } from '@temporalio/workflow'
import { type BatchApi, batched } from '../contract/operations/batch.ts'
import { sandboxApi, type Perform, type SandboxApi } from '../contract/operations/api.ts'
import type { OperationInput } from '../contract/operations/inputs.ts'
import type { FileEvent, OperationResults, Page, SandboxDetails } from '../contract/operations/results.ts'
import type { AccountOperationName } from '../contract/operations/table.ts'
import type { SandboxWish } from '../contract/sandboxes.ts'
import type { SessionReference } from '../contract/session.ts'
import { perform } from './lib/activities.ts'
import { jobFailure } from './lib/failures.ts'
import { SandboxLease } from './lib/lease.ts'
import { inWords, operate, operateBatch } from './lib/operate.ts'

/** A sandbox of this workflow's own: E2B's SDK, each call a durable activity. */
export interface Sandbox extends SandboxApi {
  sandboxId: string
  /**
   * Several operations as one activity, in order: `batch((s) => Promise.all([s.files.write('a', 'x'), s.files.list('.')]))`. None can
   * use another's result; the first that fails is the last that is done.
   */
  batch<T>(ask: (sandbox: BatchApi) => Promise<T>): Promise<T>
  /** E2B's `pause`. Every operation resumes it. */
  pause(): Promise<void>
  /** E2B's `connect`, which resumes. */
  connect(): Promise<void>
  /** Also where the workflow was cancelled. E2B's `kill`. */
  kill(): Promise<void>
  setTimeout(timeoutMs: number): Promise<void>
  /**
   * Watches a folder until so many events came, or the time is over; they come as they happen, by signals. E2B's `files.watchDir`.
   */
  watch(
    path: string,
    onEvents: (events: FileEvent[]) => void,
    options?: Omit<OperationInput<'files.watchDir'>, 'path' | 'signal'>,
  ): Promise<void>
  createSnapshot(
    options?: OperationInput<'sandbox.createSnapshot'>,
  ): Promise<OperationResults['sandbox.createSnapshot']>
  /** Copies of the sandbox; they belong to this workflow too. */
  fork(options?: OperationInput<'sandbox.fork'>): Promise<Sandbox[]>
}

export type CreateOptions = Partial<Omit<SandboxWish, 'timeout'>> & {
  /** E2B pauses the sandbox when nothing has used it for so long, in ms; 10 minutes by default. */
  timeoutMs?: number
}

const DEFAULT_TIMEOUT_MS = 10 * 60_000

/**
 * E2B's `Sandbox.create`. The sandbox belongs to the workflow: whatever becomes of the workflow, it is killed then (by the reaper, where
 * nobody else can), unless `keep` says otherwise.
 */
export async function createSandbox({
  timeoutMs = DEFAULT_TIMEOUT_MS,
  ...options
}: CreateOptions = {}): Promise<Sandbox> {
  const lease = new SandboxLease(() => undefined)
  await lease.create({ envs: {}, keep: 'never', ...options, timeout: timeoutMs })
  return handle(lease.target.sandboxId, timeoutMs)
}

/** A sandbox that is there already, by its id. E2B's `Sandbox.connect`. */
export async function connectSandbox(sandboxId: string, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<Sandbox> {
  const sandbox = handle(sandboxId, timeoutMs)
  await sandbox.connect()
  return sandbox
}

/** E2B's `Sandbox.list`, page by page. */
export async function* listSandboxes(
  query: Omit<OperationInput<'sandbox.list'>, 'nextToken'> = {},
): AsyncGenerator<SandboxDetails, void> {
  let page: Page<SandboxDetails> | undefined
  do {
    const nextToken = page?.nextToken
    page = await performOnAccount('sandbox.list', { ...query, ...(nextToken && { nextToken }) })
    yield* page.items
  } while (page.nextToken)
}

/** An operation of the account rather than of one sandbox. */
export const performOnAccount = <N extends AccountOperationName>(
  name: N,
  input: OperationInput<N>,
): Promise<OperationResults[N]> =>
  operate(name, { target: undefined, input } as Parameters<typeof operate<N>>[1])

/**
 * Uses a session that another workflow or a backend owns. Each operation is an update of the session, sent by an activity; a worker that dies
 * meanwhile, and the one that goes on, mean the same request.
 */
export function attachSession(reference: SessionReference): SandboxApi {
  return sandboxApi(
    (name, input) =>
      perform('useSession', `${reference.id}: ${inWords(name, input)}`, {
        reference,
        requestId: uuid4(),
        name,
        input,
      }) as Promise<never>,
  )
}

/** @param family of sandboxes that are forks of each other */
function handle(sandboxId: string, sandboxTimeoutMs: number, family = [sandboxId]): Sandbox {
  const target = { sandboxId, sandboxNumber: 1, sandboxTimeoutMs, sentinels: [] }
  const onSandbox: Perform = (name, input) =>
    operate(name, { target, input } as unknown as Parameters<typeof operate<typeof name>>[1], family)
  return {
    ...sandboxApi(onSandbox),
    sandboxId,
    batch: (ask) =>
      batched(
        ask,
        (operations) => operateBatch({ target, key: uuid4(), operations }),
        (type, message, report) => jobFailure(type, message, report?.output),
      ),
    pause: () => perform('pauseSandbox', 'pause the sandbox', { sandboxId }),
    connect: () => perform('resumeSandbox', 'resume the sandbox', { sandboxId, timeoutMs: sandboxTimeoutMs }),
    kill: () =>
      CancellationScope.nonCancellable(() => perform('killSandbox', 'kill the sandbox', { sandboxId })),
    watch: async (path, onEvents, options = {}) => {
      const signal = `fileEvents-${uuid4()}`
      setHandler(defineSignal<[FileEvent[]]>(signal), onEvents)
      await onSandbox('files.watchDir', { path, signal, ...options })
      setHandler(defineSignal<[FileEvent[]]>(signal), undefined)
    },
    setTimeout: (timeoutMs) => onSandbox('sandbox.setTimeout', { timeoutMs }),
    createSnapshot: (options = {}) => onSandbox('sandbox.createSnapshot', options),
    fork: async (options = {}) => {
      const { sandboxIds } = await onSandbox('sandbox.fork', options)
      return sandboxIds.map((id) => handle(id, sandboxTimeoutMs, family))
    },
  }
}
