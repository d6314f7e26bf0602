import {
  AuthenticationError,
  type BuildInfo,
  CommandExitError,
  type EntryInfo,
  FileNotFoundError,
  InvalidArgumentError,
  NotEnoughSpaceError,
  NotFoundError,
  RateLimitError,
  Sandbox as BaseSandbox,
  SandboxNotFoundError,
  ServiceBusyError,
  type SnapshotInfo,
  Template,
  type TemplateClass,
  TemplateError,
  type SandboxInfo,
} from 'e2b'
import { type Execution, Sandbox } from '@e2b/code-interpreter'
import { ApplicationFailure, CancelledFailure } from '@temporalio/common'
import { failure } from '../../contract/failure.ts'
import { measured } from './metrics.ts'
import { publicUrl } from './public-url.ts'
import { pacedCreates } from './paced.ts'
import { recentConnections } from './recent.ts'
import { retryAfterMs } from './retry-after.ts'

/** Where E2B is. All undefined means the E2B cloud with the API key given. */
export interface E2BConfig {
  apiKey: string
  apiUrl?: string | undefined
  sandboxUrl?: string | undefined
  domain?: string | undefined
  /** How many sandboxes this worker makes in a second; any number if left out. */
  createsPerSecond?: number | undefined
}

export interface CreateOptions {
  template?: string | undefined
  timeoutMs: number
  metadata: Record<string, string>
  envs: Record<string, string>
  allowInternetAccess?: boolean | undefined
  network?: NetworkOptions | undefined
  /** Whether traffic wakes it when it is paused. */
  autoResume?: boolean | undefined
  /** Servers of the MCP gateway, by name; then the template is E2B's `mcp-gateway` if none is named. */
  mcp?: Record<string, unknown> | undefined
}

interface NetworkOptions {
  allowOut?: string[] | undefined
  denyOut?: string[] | undefined
  allowPublicTraffic?: boolean | undefined
  maskRequestHost?: string | undefined
}

export type { EntryInfo, Execution, Sandbox, SandboxInfo, SnapshotInfo }

/** One page of a list; `nextToken` asks for the next. */
export interface ListPage<T> {
  items: T[]
  nextToken?: string | undefined
}

interface PageOptions {
  limit: number
  nextToken?: string | undefined
}

export interface TemplateOptions {
  name: string
  from: { template: string } | { image: string } | { dockerfile: string }
  run: string[]
  envs?: Record<string, string> | undefined
  start?: { cmd: string; ready: string } | undefined
  cpuCount?: number | undefined
  memoryMB?: number | undefined
}

/** E2B as the activities use it: every error is one of the closed list. This file alone imports the SDK. */
export interface E2B {
  /**
   * `Sandbox.create` of `@e2b/code-interpreter`, or of `e2b` itself for an MCP gateway, whose template it knows: always with pause at the timeout and no auto-resume, so that a sandbox whose workers are all gone
   * pauses itself and stray traffic can't wake it.
   */
  create(options: CreateOptions): Promise<Sandbox>
  /**
   * `Sandbox.connect`: resumes a paused sandbox. The timeout (ms) only ever extends that of a running one.
   *
   * @param recent whether a connection of a moment ago will do, for what may be tried again: where somebody has paused the sandbox
   * meanwhile, what follows fails as `SandboxUnreachable`
   */
  connect(sandboxId: string, timeoutMs: number, recent?: boolean): Promise<Sandbox>
  /**
   * Makes a call of a running sandbox. E2B answers 404 also where it is paused: one that is there all the same is unreachable, and the
   * next `connect` resumes it.
   */
  ofRunning<T>(name: string, sandboxId: string, call: () => Promise<T>): Promise<T>
  /** Has the next `connect` connect. */
  forget(sandboxId: string): void
  /** `Sandbox.getInfo`. */
  info(sandboxId: string): Promise<SandboxInfo>
  /** `Sandbox.list` by metadata, all pages, running and paused ones. */
  list(metadata: Record<string, string>): Promise<SandboxInfo[]>
  /** One page of `Sandbox.list`. */
  listPage(
    query: { metadata?: Record<string, string> | undefined; state?: ('running' | 'paused')[] | undefined },
    page: PageOptions,
  ): Promise<ListPage<SandboxInfo>>
  /** One page of `Sandbox.listSnapshots`, of one sandbox or of all. */
  listSnapshots(sandboxId: string | undefined, page: PageOptions): Promise<ListPage<SnapshotInfo>>
  /** `Sandbox.deleteSnapshot`; false where it did not exist. */
  deleteSnapshot(snapshotId: string): Promise<boolean>
  /** `Template.exists`. */
  templateExists(name: string): Promise<boolean>
  /** `Template.build`, to its end. @throws `SandboxInvalidArgument` with the build's own message */
  buildTemplate(options: TemplateOptions): Promise<BuildInfo>
  /** `Sandbox.pause`; false where it was paused already. */
  pause(sandboxId: string): Promise<boolean>
  /** `Sandbox.kill`; false where it did not exist. */
  kill(sandboxId: string): Promise<boolean>
  /** Where a port of it is reached from outside. */
  publicUrl(sandbox: SandboxInfo, port: number): string
}

export function createE2B({ createsPerSecond, ...config }: E2BConfig): E2B {
  const turn = pacedCreates(createsPerSecond)
  const connection = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined))
  const recent = recentConnections((sandboxId, timeoutMs) =>
    mapped('Sandbox.connect', () => Sandbox.connect(sandboxId, { ...connection, timeoutMs })),
  )
  const info = (sandboxId: string): Promise<SandboxInfo> =>
    mapped('Sandbox.getInfo', () => Sandbox.getInfo(sandboxId, connection))
  return {
    create: async ({ autoResume = false, ...options }) => {
      await turn()
      const all = {
        ...connection,
        ...withoutUndefined(options),
        lifecycle: { onTimeout: 'pause' as const, autoResume },
      }
      if (!options.mcp) return mapped('Sandbox.create', () => Sandbox.create(all))
      return mapped('Sandbox.create', async () => {
        const { sandboxId } = await BaseSandbox.create(all)
        return Sandbox.connect(sandboxId, { ...connection, timeoutMs: options.timeoutMs })
      })
    },
    ...recent,
    ofRunning: async (name, sandboxId, call) => {
      try {
        return await mapped(name, call)
      } catch (error) {
        if (!(error instanceof ApplicationFailure && error.type === 'SandboxGone')) throw error
        const { state } = await info(sandboxId)
        recent.forget(sandboxId)
        throw failure('SandboxUnreachable', `${error.message}, but it is there: ${state}`, { cause: error })
      }
    },
    info,
    list: (metadata) =>
      mapped('Sandbox.list', async () => {
        const pages = Sandbox.list({ ...connection, query: { metadata, state: ['running', 'paused'] } })
        const found: SandboxInfo[] = []
        while (pages.hasNext) found.push(...(await pages.nextItems()))
        return found
      }),
    listPage: (query, page) =>
      onePage('Sandbox.list', Sandbox.list({ ...connection, ...withoutUndefined({ query, ...page }) })),
    listSnapshots: (sandboxId, page) =>
      onePage(
        'Sandbox.listSnapshots',
        Sandbox.listSnapshots({ ...connection, ...withoutUndefined({ sandboxId, ...page }) }),
      ),
    deleteSnapshot: (snapshotId) =>
      mapped('Sandbox.deleteSnapshot', () => Sandbox.deleteSnapshot(snapshotId, connection)),
    templateExists: (name) => mapped('Template.exists', () => Template.exists(name, connection)),
    buildTemplate: ({ name, cpuCount, memoryMB, ...template }) =>
      mapped('Template.build', () =>
        Template.build(templateOf(template), name, {
          ...connection,
          ...withoutUndefined({ cpuCount, memoryMB }),
        }),
      ),
    pause: (sandboxId) => {
      recent.forget(sandboxId)
      return mapped('Sandbox.pause', () => Sandbox.pause(sandboxId, connection))
    },
    kill: (sandboxId) => {
      recent.forget(sandboxId)
      return mapped('Sandbox.kill', () => Sandbox.kill(sandboxId, connection))
    },
    publicUrl: (sandbox, port) => publicUrl(config, sandbox, port),
  }
}

type Exit = Pick<CommandExitError, 'exitCode' | 'stdout' | 'stderr'>

/** A command's end, with the exit code as data. */
export async function exited(run: Promise<Exit>): Promise<Exit> {
  try {
    return await run
  } catch (error) {
    if (error instanceof CommandExitError) return error
    throw error
  }
}

function onePage<T>(
  name: string,
  pages: { nextItems(): Promise<T[]>; nextToken: string | undefined },
): Promise<ListPage<T>> {
  return mapped(name, async () => {
    const items = await pages.nextItems()
    return { items, nextToken: pages.nextToken }
  })
}

function templateOf({ from, run, envs, start }: Omit<TemplateOptions, 'name'>): TemplateClass {
  const base =
    'template' in from
      ? Template().fromTemplate(from.template)
      : 'image' in from
        ? Template().fromImage(from.image)
        : Template().fromDockerfile(from.dockerfile)
  const withEnvs = envs ? base.setEnvs(envs) : base
  const built = run.reduce((builder, line) => builder.runCmd(line), withEnvs)
  return start ? built.setStartCmd(start.cmd, start.ready) : built
}

/**
 * Runs an SDK call; what it throws becomes a failure of the closed list.
 *
 * @param name by E2B's own names, for the metrics: one of few
 */
export function mapped<T>(name: string, call: () => Promise<T>): Promise<T> {
  return measured(name, async () => {
    try {
      return await call()
    } catch (error) {
      throw error instanceof CancelledFailure ? error : mapE2BError(error)
    }
  })
}

/**
 * The failure for an error of the SDK. A time-out or a broken connection is `SandboxUnreachable`: it proves nothing of
 * the sandbox, whereas only a 404 does (`SandboxGone`).
 */
export function mapE2BError(error: unknown): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error
  const message = error instanceof Error ? error.message : String(error)
  const cause = { cause: error }
  // A stream cut in the middle of a message: the SDK takes what is left of it for a bad argument.
  if (/protocol error|cannot decode message/.test(message))
    return failure('SandboxUnreachable', message, cause)
  // Of its own port, not by E2B: it may be paused.
  if (message.includes('probably not running')) return failure('SandboxUnreachable', message, cause)
  if (error instanceof FileNotFoundError) return failure('FileNotFound', message, cause)
  if (error instanceof SandboxNotFoundError) return failure('SandboxGone', message, cause)
  if (error instanceof AuthenticationError) return failure('SandboxAuthenticationFailed', message, cause)
  if (error instanceof RateLimitError)
    return failure('SandboxRateLimited', message, { ...cause, retryAfterMs: retryAfterMs() })
  if (error instanceof ServiceBusyError || message.startsWith('409: '))
    return failure('SandboxBusy', message, cause)
  if (error instanceof NotEnoughSpaceError) return failure('SandboxNoSpace', message, cause)
  if (error instanceof NotFoundError) return failure('SandboxInvalidArgument', message, cause)
  if (error instanceof InvalidArgumentError || error instanceof TemplateError || /^(400|404): /.test(message))
    return failure('SandboxInvalidArgument', message, cause)
  return failure('SandboxUnreachable', message, cause)
}

const withoutUndefined = <T extends object>(object: T): T => JSON.parse(JSON.stringify(object)) as T
