import { Context } from '@temporalio/activity'
import { SANDBOX_METADATA, type SandboxWish } from '../contract/sandboxes.ts'
import { outputsFolder } from '../blobs/places.ts'
import { executionOf } from './lib/execution.ts'
import { artifactsFolder } from './lib/places.ts'
import type { ActivityDeps } from './lib/deps.ts'
import type { Sandbox, SandboxInfo } from './lib/e2b.ts'
import { counted } from './lib/metrics.ts'
import { failure } from '../contract/failure.ts'
import { whileBeating } from './lib/heartbeat.ts'

export interface CreateSandboxInput {
  /** Made by the workflow before the call, so that a sandbox whose create reply was lost can be found. */
  allocationId: string
  /** Whether an earlier activity of this allocation may have made it already. */
  again: boolean
  sandbox: SandboxWish
}

export interface CreatedSandbox {
  sandboxId: string
  cpuCount: number
  memoryMb: number
  /** The deployment that it belongs to. */
  owner: string
  /** Of what it previews. */
  previewUrl?: string
}

/** A sandbox's life: what the lease of a job or session does. */
export const lifecycleActivities = (deps: ActivityDeps) => beating(activities(deps))

const activities = (deps: ActivityDeps) => ({
  /**
   * `Sandbox.create`, adopting: any attempt but the first looks for a sandbox of this allocation and takes it, killing
   * surplus ones.
   *
   * @throws `SandboxAuthenticationFailed`, `SandboxInvalidArgument`, and retryable ones
   */
  async createSandbox({ allocationId, again, sandbox }: CreateSandboxInput): Promise<CreatedSandbox> {
    const { info } = Context.current()
    const allocation = { [SANDBOX_METADATA.owner]: deps.owner, [SANDBOX_METADATA.allocation]: allocationId }
    const [adopted, ...surplus] = again || info.attempt > 1 ? await deps.e2b.list(allocation) : []
    for (const extra of surplus) await deps.e2b.kill(extra.sandboxId)
    counted('sandboxesAdopted', {}, adopted ? 1 : 0)
    if (adopted) return created(deps, adopted, sandbox)
    const made: Sandbox = await deps.e2b.create({
      template: sandbox.template,
      timeoutMs: sandbox.timeout,
      envs: sandbox.envs,
      allowInternetAccess: sandbox.allowInternetAccess,
      network: sandbox.network,
      mcp: sandbox.mcp,
      autoResume: sandbox.preview?.autoResume,
      metadata: {
        ...sandbox.metadata,
        ...allocation,
        [SANDBOX_METADATA.namespace]: deps.namespace,
        [SANDBOX_METADATA.keep]: sandbox.keep,
        [SANDBOX_METADATA.workflowId]: info.workflowExecution?.workflowId ?? '',
        [SANDBOX_METADATA.runId]: info.workflowExecution?.runId ?? '',
      },
    })
    return created(deps, await deps.e2b.info(made.sandboxId), sandbox)
  },

  /**
   * `Sandbox.pause`. A second attempt finds it paused, which is success; E2B answers the same where the sandbox is changing
   * its state in another way, so its state is looked at then. @throws `SandboxGone`, `SandboxBusy`
   */
  async pauseSandbox({ sandboxId }: { sandboxId: string }): Promise<void> {
    if (await deps.e2b.pause(sandboxId)) return
    const { state } = await deps.e2b.info(sandboxId)
    if (state !== 'paused')
      throw failure('SandboxBusy', `sandbox ${sandboxId} can't be paused now: it is ${state}`)
  },

  /** `Sandbox.connect`, which resumes a paused sandbox and leaves a running one. @throws `SandboxGone` */
  async resumeSandbox({ sandboxId, timeoutMs }: { sandboxId: string; timeoutMs: number }): Promise<void> {
    await deps.e2b.connect(sandboxId, timeoutMs)
  },

  /** `Sandbox.kill`, of a running or paused sandbox. A second attempt finds nothing, which is success. */
  async killSandbox({ sandboxId }: { sandboxId: string }): Promise<void> {
    await deps.e2b.kill(sandboxId)
  },

  /** Deletes the pictures that code made in this workflow's sandbox. A second attempt finds none. */
  async deleteArtifacts(): Promise<void> {
    await deps.blobs.deleteAll(artifactsFolder(deps))
    await deps.blobs.deleteAll(outputsFolder(deps, executionOf().workflowId))
  },

  /** Kills whatever a create call that never answered may have left. */
  async killAllocation({ allocationId }: { allocationId: string }): Promise<void> {
    const found = await deps.e2b.list({
      [SANDBOX_METADATA.owner]: deps.owner,
      [SANDBOX_METADATA.allocation]: allocationId,
    })
    for (const { sandboxId } of found) await deps.e2b.kill(sandboxId)
  },
})

const created = (
  { e2b, owner }: ActivityDeps,
  info: SandboxInfo,
  { preview }: SandboxWish,
): CreatedSandbox => ({
  sandboxId: info.sandboxId,
  cpuCount: info.cpuCount,
  memoryMb: info.memoryMB,
  owner,
  ...(preview && { previewUrl: e2b.publicUrl(info, preview.port) }),
})

/** With heartbeats, so that a worker's death in the middle is noticed soon. */
const beating = <A extends Record<string, (input: never) => Promise<unknown>>>(all: A): A =>
  Object.fromEntries(
    Object.entries(all).map(([name, activity]) => [
      name,
      (input: never) => whileBeating(() => activity(input)),
    ]),
  ) as A
