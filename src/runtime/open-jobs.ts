import { setInterval } from 'node:timers/promises'
import { Client, type WorkflowClient } from '@temporalio/client'
import { type NativeConnection, Runtime } from '@temporalio/worker'
import type { Logger as Pino } from 'pino'
import { JOBS_FILTER, OPEN_PHASES, type Phase } from '../contract/job.ts'
import { METRICS } from '../contract/metrics.ts'
import { SEARCH_ATTRIBUTES } from '../contract/search-attributes.ts'

const EVERY_MS = 30_000

/** How many jobs of a task queue are in each phase, as Temporal's list has them. One query a phase: the server groups by nothing of ours. */
export async function countOpenJobs(
  workflow: WorkflowClient,
  taskQueue: string,
): Promise<{ phase: Phase; jobs: number }[]> {
  const open = `${JOBS_FILTER} AND ExecutionStatus = "Running" AND TaskQueue = "${taskQueue}"`
  const counts: { phase: Phase; jobs: number }[] = []
  for (const phase of OPEN_PHASES) {
    const { count } = await workflow.count(`${open} AND ${SEARCH_ATTRIBUTES.phase.name} = "${phase}"`)
    counts.push({ phase, jobs: count })
  }
  return counts
}

/** Keeps the gauge of open jobs until the signal. What can't be counted now is as it was. Resolves, never rejects. */
export async function gaugeOpenJobs(
  connection: NativeConnection,
  {
    namespace,
    taskQueue,
    log,
    signal,
  }: { namespace: string; taskQueue: string; log: Pino; signal: AbortSignal },
): Promise<void> {
  const { name, help } = METRICS.jobsOpen
  const gauge = Runtime.instance().metricMeter.createGauge(name, 'int', undefined, help)
  const { workflow } = new Client({ connection, namespace })
  const count = async (): Promise<void> => {
    try {
      for (const { phase, jobs } of await countOpenJobs(workflow, taskQueue))
        gauge.set(jobs, { phase, namespace, taskQueue })
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'the open jobs could not be counted')
    }
  }
  await count()
  try {
    for await (const _ of setInterval(EVERY_MS, undefined, { signal, ref: false })) await count()
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
