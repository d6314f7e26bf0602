import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { Client, type Connection, type WorkflowClient } from '@temporalio/client'
import proto, { type temporal } from '@temporalio/proto'
import { Runtime, Worker } from '@temporalio/worker'
import { createLogger, temporalLogger } from '../../src/runtime/logger.ts'
import { workflowBundle } from '../../src/runtime/workflow-bundle.ts'

const { History } = proto.temporal.api.history.v1
type History = temporal.api.history.v1.IHistory

export interface NamedHistory {
  workflowId: string
  history: History
}

/** Replays histories against today's workflow code. @returns what doesn't replay, and why */
export async function replay(histories: NamedHistory[]): Promise<{ workflowId: string; message: string }[]> {
  Runtime.install({ logger: temporalLogger(createLogger('error')), shutdownSignals: [] })
  const options = {
    workflowBundle: { codePath: await workflowBundle() },
    sinks: { holdfastTraces: { runEnded: { fn: () => undefined } } },
  }
  const problems = []
  for await (const { workflowId, error } of Worker.runReplayHistories(options, histories))
    if (error) problems.push({ workflowId, message: error.message })
  return problems
}

/** Of every run of these workflows; those of runs before the last are named `ID-run-1` and so on. */
export async function fetchHistories(connection: Connection, ids: string[]): Promise<NamedHistory[]> {
  const { workflow } = new Client({ connection })
  return (await Promise.all(ids.map((id) => fetchRuns(workflow, id)))).flat()
}

export async function fetchRuns(workflow: WorkflowClient, workflowId: string): Promise<NamedHistory[]> {
  const runs: History[] = []
  for (let run: string | null | undefined; run !== '' && run !== null;) {
    const history = await workflow.getHandle(workflowId, run).fetchHistory()
    runs.unshift(history)
    run = history.events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ?? ''
  }
  return runs.map((history, index) => ({
    workflowId: index === runs.length - 1 ? workflowId : `${workflowId}-run-${index + 1}`,
    history,
  }))
}

/** Writes histories, as protobuf, without the names of the machines that made them, and their folders. */
export async function saveHistories(folder: string, histories: NamedHistory[]): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const { workflowId, history } of histories) {
    nameless(history)
    const file = join(folder, `${workflowId.replaceAll(/[^\w-]/g, '_')}.binpb.gz`)
    await writeFile(file, gzipSync(History.encode(history).finish()))
  }
}

export async function readHistories(folder: string): Promise<NamedHistory[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.binpb.gz')).sort()
  return Promise.all(
    files.map(async (file) => ({
      workflowId: file.slice(0, -'.binpb.gz'.length),
      history: History.decode(gunzipSync(await readFile(join(folder, file)))),
    })),
  )
}

function nameless(value: unknown): void {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return
  const object = value as Record<string, unknown>
  for (const key of Object.keys(object))
    if (key === 'identity') object[key] = 'worker'
    else if (key === 'stackTrace') object[key] = ''
    else nameless(object[key])
}
