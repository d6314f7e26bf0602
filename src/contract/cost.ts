import type { AgentStep } from './agent-step.ts'
import type { Usage } from './agents/report.ts'
import type { SandboxUse } from './job.ts'

/** What things cost, in USD, and how often a heartbeat is billed. */
export interface Tariff {
  /** One vCPU of a running sandbox, a second. */
  vcpuSecond: number
  /** One GiB of memory of a running sandbox, a second. */
  gibSecond: number
  /** One GiB of memory of a paused sandbox, a second. */
  pausedGibSecond: number
  /** One action of Temporal. */
  action: number
  /** ms between two heartbeats of an activity: each is an action. */
  heartbeatMs: number
}

/**
 * List prices of 2026-11-23: E2B bills what the template allocates, by the second, and nothing for paused sandboxes; Temporal Cloud's
 * first million actions a month cost 50 USD.
 */
export const LIST_PRICES: Tariff = {
  vcpuSecond: 0.000_014,
  gibSecond: 0.000_004_5,
  pausedGibSecond: 0,
  action: 0.000_05,
  heartbeatMs: 5_000,
}

/** Time of sandboxes of one size. */
export interface SandboxTime {
  cpuCount: number
  memoryMb: number
  runningMs: number
  pausedMs: number
}

/** The account with so many ms more of a sandbox of that size. */
export function withTime(
  account: SandboxTime[],
  { cpuCount, memoryMb }: Pick<SandboxTime, 'cpuCount' | 'memoryMb'>,
  state: 'running' | 'paused',
  ms: number,
): SandboxTime[] {
  const same = (size: SandboxTime): boolean => size.cpuCount === cpuCount && size.memoryMb === memoryMb
  const { runningMs, pausedMs } = account.find(same) ?? { runningMs: 0, pausedMs: 0 }
  const time =
    state === 'running' ? { runningMs: runningMs + ms, pausedMs } : { runningMs, pausedMs: pausedMs + ms }
  return [...account.filter((size) => !same(size)), { cpuCount, memoryMb, ...time }]
}

/** What a workflow has asked of Temporal so far. */
export interface Actions {
  /** Of its runs. */
  starts: number
  activities: number
  timers: number
  signals: number
  updates: number
  childWorkflows: number
  /** Of search attributes. */
  upserts: number
  /** ms that activities have taken, those that run now included. */
  activityMs: number
}

/** What models have read and written. */
export interface ModelUse {
  inputTokens: number
  outputTokens: number
  usd: number
}

export const NO_MODEL_USE: ModelUse = { inputTokens: 0, outputTokens: 0, usd: 0 }

/** What a job has cost so far. */
export interface Cost {
  sandbox: { runningMs: number; pausedMs: number; usd: number }
  temporal: { actions: number; usd: number }
  models: ModelUse
  /** All of it. */
  usd: number
  /** What the paused time would have cost more if the sandbox had run. */
  savedByPausingUsd: number
}

/** Where a job has to end. */
export interface Limits {
  /** ms that its sandbox may run. */
  sandboxTime?: number | undefined
  costUsd?: number | undefined
}

/**
 * Actions that Temporal Cloud would bill: each start of a run, activity, timer, signal, update, child workflow, upsert and heartbeat.
 * An estimate: what the workflow can't see (retries, queries, refused updates) isn't in it, and heartbeats are taken to be regular.
 */
export function countActions(actions: Actions, { heartbeatMs }: Tariff): number {
  const { activityMs, ...counted } = actions
  const heartbeats = Math.floor(activityMs / heartbeatMs)
  return Object.values(counted).reduce((sum, count) => sum + count, heartbeats)
}

/** USD for a second of a sandbox. */
export function pricePerSecond(
  { cpuCount, memoryMb }: Pick<SandboxTime, 'cpuCount' | 'memoryMb'>,
  { vcpuSecond, gibSecond, pausedGibSecond }: Tariff,
): { running: number; paused: number } {
  const gib = memoryMb / 1024
  return { running: cpuCount * vcpuSecond + gib * gibSecond, paused: gib * pausedGibSecond }
}

export function costOf(
  use: Pick<SandboxUse, 'sizes'>,
  actions: Actions,
  tariff: Tariff,
  models: ModelUse = NO_MODEL_USE,
): Cost {
  const sandbox = { runningMs: 0, pausedMs: 0, usd: 0 }
  let savedByPausingUsd = 0
  for (const size of use.sizes) {
    const { running, paused } = pricePerSecond(size, tariff)
    sandbox.runningMs += size.runningMs
    sandbox.pausedMs += size.pausedMs
    sandbox.usd += (size.runningMs * running + size.pausedMs * paused) / 1000
    savedByPausingUsd += (size.pausedMs * (running - paused)) / 1000
  }
  const count = countActions(actions, tariff)
  const temporal = { actions: count, usd: count * tariff.action }
  return { sandbox, temporal, models, usd: sandbox.usd + temporal.usd + models.usd, savedByPausingUsd }
}

/** Which limit a cost has reached. */
export function reachedLimit({ sandbox, usd }: Cost, limits: Limits): keyof Limits | undefined {
  if (limits.sandboxTime !== undefined && sandbox.runningMs >= limits.sandboxTime) return 'sandboxTime'
  if (limits.costUsd !== undefined && usd >= limits.costUsd) return 'costUsd'
  return undefined
}

/**
 * How long, in ms (0 where it is reached), until a limit is reached by the sandbox alone as it is now. Infinity where nothing of it counts towards a limit.
 */
export function untilLimit(
  cost: Cost,
  limits: Limits,
  now: Pick<SandboxUse, 'state'> & Pick<SandboxTime, 'cpuCount' | 'memoryMb'>,
  tariff: Tariff,
): number {
  if (reachedLimit(cost, limits)) return 0
  const { sandbox, usd } = cost
  const running = now.state === 'running'
  const time = running && limits.sandboxTime !== undefined ? limits.sandboxTime - sandbox.runningMs : Infinity
  const prices = pricePerSecond(now, tariff)
  const rate = running ? prices.running : now.state === 'paused' ? prices.paused : 0
  const money =
    rate > 0 && limits.costUsd !== undefined ? Math.ceil(((limits.costUsd - usd) / rate) * 1000) : Infinity
  return Math.max(0, Math.min(time, money))
}

/** What a turn has cost: by the prices of its step, else by its own account. */
export function priced({ inputTokens, outputTokens, costUsd }: Usage, prices: AgentStep['prices']): ModelUse {
  const usd = prices ? (inputTokens * prices.inputUsd + outputTokens * prices.outputUsd) / 1_000_000 : costUsd
  return { inputTokens, outputTokens, usd }
}
