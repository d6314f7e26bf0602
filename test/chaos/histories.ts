import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client, type Connection } from '@temporalio/client'
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js'
import { Runtime, Worker } from '@temporalio/worker'
import { createLogger, temporalLogger } from '../../src/runtime/logger.ts'
import { workflowBundle } from '../../src/runtime/workflow-bundle.ts'

/** Replays the histories of jobs against today's workflow code; what doesn't replay, in words, is kept in `folder`. */
export async function replay(
  connection: Connection,
  ids: string[],
  folder: string | undefined,
): Promise<string[]> {
  Runtime.install({ logger: temporalLogger(createLogger('error')), shutdownSignals: [] })
  const { workflow } = new Client({ connection })
  const histories = ids.map(async (workflowId) => ({
    workflowId,
    history: await workflow.getHandle(workflowId).fetchHistory(),
  }))
  const problems: string[] = []
  const options = { workflowBundle: { codePath: await workflowBundle() } }
  for await (const { workflowId, error } of Worker.runReplayHistories(
    options,
    await Promise.all(histories),
  )) {
    if (!error) continue
    problems.push(`${workflowId} does not replay: ${error.message}`)
    if (folder) await keep(folder, workflowId, await workflow.getHandle(workflowId).fetchHistory())
  }
  return problems
}

async function keep(folder: string, id: string, history: Parameters<typeof historyToJSON>[0]): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, `${id}.json`), JSON.stringify(historyToJSON(history)))
}
