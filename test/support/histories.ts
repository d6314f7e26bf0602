import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client, type Connection } from '@temporalio/client'
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js'
import { Runtime, Worker } from '@temporalio/worker'
import { createLogger, temporalLogger } from '../../src/runtime/logger.ts'
import { workflowBundle } from '../../src/runtime/workflow-bundle.ts'

type History = ReturnType<typeof historyFromJSON>

export interface NamedHistory {
  workflowId: string
  history: History
}

/** Replays histories against today's workflow code. @returns what doesn't replay, and why */
export async function replay(histories: NamedHistory[]): Promise<{ workflowId: string; message: string }[]> {
  Runtime.install({ logger: temporalLogger(createLogger('error')), shutdownSignals: [] })
  const options = { workflowBundle: { codePath: await workflowBundle() } }
  const problems = []
  for await (const { workflowId, error } of Worker.runReplayHistories(options, histories))
    if (error) problems.push({ workflowId, message: error.message })
  return problems
}

export async function fetchHistories(connection: Connection, ids: string[]): Promise<NamedHistory[]> {
  const { workflow } = new Client({ connection })
  return Promise.all(
    ids.map(async (workflowId) => ({
      workflowId,
      history: await workflow.getHandle(workflowId).fetchHistory(),
    })),
  )
}

/** Writes histories as JSON, without the names of the machines that made them. */
export async function saveHistories(folder: string, histories: NamedHistory[]): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const { workflowId, history } of histories) {
    const text = JSON.stringify(historyToJSON(history), (key, value: unknown) =>
      key === 'identity' ? 'worker' : value,
    )
    await writeFile(join(folder, `${workflowId.replaceAll(/[^\w-]/g, '_')}.json`), `${text}\n`)
  }
}

export async function readHistories(folder: string): Promise<NamedHistory[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.json')).sort()
  return Promise.all(
    files.map(async (file) => ({
      workflowId: file.slice(0, -'.json'.length),
      history: historyFromJSON(JSON.parse(await readFile(join(folder, file), 'utf8'))),
    })),
  )
}
