import {
  AuthenticationError,
  InvalidArgumentError,
  NotEnoughSpaceError,
  RateLimitError,
  Sandbox,
  SandboxNotFoundError,
  ServiceBusyError,
  TemplateError,
  type SandboxInfo,
} from 'e2b'
import { ApplicationFailure } from '@temporalio/common'
import { failure } from './failures.ts'

/** Where E2B is. All undefined means the E2B cloud with the API key given. */
export interface E2BConfig {
  apiKey: string
  apiUrl?: string | undefined
  sandboxUrl?: string | undefined
  domain?: string | undefined
}

export interface CreateOptions {
  template?: string | undefined
  timeoutMs: number
  metadata: Record<string, string>
  envs: Record<string, string>
  allowInternetAccess?: boolean | undefined
  network?: { allowOut?: string[] | undefined; denyOut?: string[] | undefined } | undefined
}

export type { Sandbox, SandboxInfo }

/** E2B as the activities use it: every error is one of the closed list. This file alone imports the SDK. */
export interface E2B {
  /**
   * `Sandbox.create`: always with pause at the timeout and no auto-resume, so that a sandbox whose workers are all gone
   * pauses itself and stray traffic can't wake it.
   */
  create(options: CreateOptions): Promise<Sandbox>
  /** `Sandbox.connect`: resumes a paused sandbox. The timeout (ms) only ever extends that of a running one. */
  connect(sandboxId: string, timeoutMs: number): Promise<Sandbox>
  /** `Sandbox.getInfo`. */
  info(sandboxId: string): Promise<SandboxInfo>
  /** `Sandbox.list` by metadata, all pages, running and paused ones. */
  list(metadata: Record<string, string>): Promise<SandboxInfo[]>
  /** `Sandbox.pause`; false where it was paused already. */
  pause(sandboxId: string): Promise<boolean>
  /** `Sandbox.kill`; false where it did not exist. */
  kill(sandboxId: string): Promise<boolean>
}

export function createE2B(config: E2BConfig): E2B {
  const connection = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined))
  return {
    create: ({ template, ...options }) => {
      const all = {
        ...connection,
        ...withoutUndefined(options),
        lifecycle: { onTimeout: 'pause' as const, autoResume: false },
      }
      return mapped(() => (template ? Sandbox.create(template, all) : Sandbox.create(all)))
    },
    connect: (sandboxId, timeoutMs) => mapped(() => Sandbox.connect(sandboxId, { ...connection, timeoutMs })),
    info: (sandboxId) => mapped(() => Sandbox.getInfo(sandboxId, connection)),
    list: (metadata) =>
      mapped(async () => {
        const pages = Sandbox.list({ ...connection, query: { metadata, state: ['running', 'paused'] } })
        const found: SandboxInfo[] = []
        while (pages.hasNext) found.push(...(await pages.nextItems()))
        return found
      }),
    pause: (sandboxId) => mapped(() => Sandbox.pause(sandboxId, connection)),
    kill: (sandboxId) => mapped(() => Sandbox.kill(sandboxId, connection)),
  }
}

/** Runs an SDK call; what it throws becomes a failure of the closed list. */
export async function mapped<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw mapE2BError(error)
  }
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
  if (error instanceof SandboxNotFoundError) return failure('SandboxGone', message, cause)
  if (error instanceof AuthenticationError) return failure('SandboxAuthenticationFailed', message, cause)
  if (error instanceof RateLimitError)
    return failure('SandboxRateLimited', message, { ...cause, retryAfterMs: 5_000 })
  if (error instanceof ServiceBusyError || message.startsWith('409: '))
    return failure('SandboxBusy', message, cause)
  if (error instanceof NotEnoughSpaceError) return failure('SandboxNoSpace', message, cause)
  if (error instanceof InvalidArgumentError || error instanceof TemplateError || /^(400|404): /.test(message))
    return failure('SandboxInvalidArgument', message, cause)
  return failure('SandboxUnreachable', message, cause)
}

const withoutUndefined = <T extends object>(object: T): T => JSON.parse(JSON.stringify(object)) as T
