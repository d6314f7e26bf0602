import { rm, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { execa } from 'execa'
import { Sandbox } from 'e2b'
import type { FaultToArm } from '../support/sandbox-server.ts'
import type { FaultKind, FaultPlan } from './plan.ts'
import type { World } from './world.ts'

/** A heartbeat may be 10 s late. */
const FREEZE_MS = 12_000
/** Longer than the timeout of the jobs' sandboxes: they pause themselves. */
const GONE_MS = 10_000

type Apply = (world: World, fault: FaultPlan) => Promise<void>

const arm =
  (make: (fault: FaultPlan) => FaultToArm): Apply =>
  (world, fault) =>
    world.sandboxes.faults.arm(make(fault))

const uploadsRefused = arm(() => ({
  kind: 'answer',
  to: 'sandbox',
  method: 'POST',
  path: '^/files',
  status: 507,
}))

/** Takes all the room on a disk of its own, beside what its sandbox sees. @returns what to delete; undefined on the host's disk */
async function fillDisk(disk: string): Promise<string | undefined> {
  try {
    if ((await stat(disk)).dev === (await stat(dirname(disk))).dev) return undefined
    const { bavail, bsize } = await statfs(disk)
    const file = join(disk, 'full')
    await execa('fallocate', ['--length', String(bavail * bsize), file], { reject: false })
    return file
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    // It has just been killed.
    return undefined
  }
}

/** How each fault is made. Each resolves once the world is as it was, or the fault is armed. */
const APPLY: Record<FaultKind, Apply> = {
  async workerKilled({ workers }, { pick }) {
    await workers.kill(pick)
    await workers.refill()
  },
  workerFrozen: ({ workers }, { pick }) => workers.freeze(pick, FREEZE_MS),
  async workersGone({ workers }) {
    await workers.killAll()
    await delay(GONE_MS)
    await workers.refill()
  },
  temporalKilled: (world) => world.killTemporal(),
  async sandboxServerKilled({ sandboxes }, { forMs }) {
    await sandboxes.kill()
    await delay(forMs)
    await sandboxes.restart()
  },
  async sandboxKilled({ sandboxes: { connection } }, { pick }) {
    const target = await someSandbox(connection, pick)
    if (target) await insistently(() => Sandbox.kill(target, connection))
  },
  async sandboxUnreachable({ sandboxes }, { pick, forMs }) {
    const sandboxId = await someSandbox(sandboxes.connection, pick)
    const how = pick % 2 ? 'reset' : 'hang'
    if (sandboxId) await sandboxes.faults.arm({ kind: 'unreachable', how, sandboxId, forMs })
  },
  createReplyLost: arm(() => ({ kind: 'loseReply', to: 'control', method: 'POST', path: '/sandboxes$' })),
  replyLost: arm(({ pick }) => ({ kind: 'loseReply', to: 'control', skip: pick % 3 })),
  rateLimited: arm(({ pick }) => ({
    kind: 'answer',
    to: 'control',
    status: 429,
    retryAfter: 1,
    times: 1 + (pick % 5),
  })),
  conflict: arm(({ pick }) => ({
    kind: 'answer',
    to: 'control',
    status: 409,
    times: 1 + (pick % 3),
    path: '/(pause|connect)$',
  })),
  unavailable: arm(({ pick }) => ({ kind: 'answer', to: 'control', status: 503, times: 1 + (pick % 5) })),
  streamCut: arm(({ pick, forMs }) =>
    pick % 2
      ? { kind: 'cutStream', to: 'sandbox', path: 'process.Process/', afterMs: forMs }
      : { kind: 'cutStream', to: 'sandbox', path: 'process.Process/', afterBytes: pick % 300 },
  ),
  filesLostOnResume: arm(() => ({ kind: 'loseFiles', times: 1 })),
  async diskFull(world, fault) {
    const { sandboxes } = world
    const sandboxId = fault.pick % 2 ? await someSandbox(sandboxes.connection, fault.pick) : undefined
    const filled = sandboxId && (await fillDisk(join(sandboxes.dataDir, 'sandboxes', sandboxId, 'disk')))
    if (!filled) return uploadsRefused(world, fault)
    await delay(fault.forMs)
    await rm(filled, { force: true })
  },
  async gitHostDown({ git }, { forMs }) {
    // It takes no more connections at once; what it serves may take its time to end.
    await Promise.race([git.stop(), delay(forMs)])
    await delay(forMs)
    // Somebody's outgoing connection may have its port for a moment.
    await insistently(() => git.start())
  },
  // The remote of the job has its hook from the start.
  pushReplyLost: () => Promise.resolve(),
  // The job's plan has it.
  clockLongWait: () => Promise.resolve(),
}

/** What can't happen twice at once. */
const ONE_AT_A_TIME: Partial<Record<FaultKind, string>> = {
  workerKilled: 'workers',
  workerFrozen: 'workers',
  workersGone: 'workers',
  temporalKilled: 'temporal',
  gitHostDown: 'git',
}

/** Applies faults; those that need the sandbox server wait until it is back. */
export class Faults {
  readonly applied: Partial<Record<FaultKind, number>> = {}
  readonly #world: World
  readonly #lines = new Map<string, Promise<void>>()

  constructor(world: World) {
    this.#world = world
  }

  async apply(fault: FaultPlan): Promise<void> {
    const line = ONE_AT_A_TIME[fault.kind] ?? 'sandboxes'
    const turn = (this.#lines.get(line) ?? Promise.resolve()).then(async () => {
      await APPLY[fault.kind](this.#world, fault)
      this.applied[fault.kind] = (this.applied[fault.kind] ?? 0) + 1
    })
    this.#lines.set(line, turn)
    await turn
  }
}

async function someSandbox(
  connection: World['sandboxes']['connection'],
  pick: number,
): Promise<string | undefined> {
  const query = { state: ['running' as const, 'paused' as const] }
  const all = await insistently(() => Sandbox.list({ ...connection, query }).nextItems())
  return all[pick % Math.max(1, all.length)]?.sandboxId
}

/** Our own calls meet the faults that are armed for the jobs'. */
async function insistently<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++)
    try {
      return await call()
    } catch (error) {
      if (tries === 20) throw error
      await delay(100)
    }
}
