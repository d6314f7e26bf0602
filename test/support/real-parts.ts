import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, Connection, type WorkflowClient } from '@temporalio/client'
import { connect, type Jobs } from '../../src/index.ts'
import { startDevServer } from '../../src/runtime/temporal/dev-server.ts'
import { locateCli } from '../../src/runtime/temporal/locate-cli.ts'
import { type TestGitHost, testGitHost } from './git-host.ts'
import { startSandboxServer } from './sandbox-server.ts'
import { end, startWorkerProcess, workerEnv } from './worker.ts'

/** All that jobs need, of its own: for what is measured, and for what would be too much for the suite's one Temporal server. */
export interface RealParts {
  /** With the repository `demo`. */
  git: TestGitHost
  workflow: WorkflowClient
  /** A client of a task queue. */
  connect: (taskQueue: string) => Promise<Jobs>
  startWorker: (taskQueue: string, env?: NodeJS.ProcessEnv) => Promise<ChildProcess>
  /** Of Temporal's database. */
  databaseBytes: () => Promise<number>
}

/** Starts them, has them used, and ends and removes all of them. */
export async function withRealParts<T>(use: (parts: RealParts) => Promise<T>): Promise<T> {
  const undo: (() => Promise<unknown>)[] = []
  try {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
    undo.push(() => rm(folder, { recursive: true, force: true }))
    const git = await testGitHost()
    undo.push(() => git.cleanUp())
    await git.demo('demo')
    const sandboxes = await startSandboxServer({ args: ['--allow-host-loopback', `localhost:${git.port}`] })
    undo.push(() => sandboxes.stop())
    const dbFile = join(folder, 'temporal.db')
    const temporal = await startDevServer({
      cli: (await locateCli({ env: process.env })).path,
      env: process.env,
      logFile: join(folder, 'temporal.log'),
      dbFile,
      headless: true,
      tied: true,
    })
    undo.push(() => temporal.stop())
    const { address } = temporal
    const connection = await Connection.connect({ address })
    undo.push(() => connection.close())
    return await use({
      git,
      workflow: new Client({ connection }).workflow,
      databaseBytes: async () => (await stat(dbFile)).size,
      connect: async (taskQueue) => {
        const jobs = await connect({ address, taskQueue })
        undo.push(() => jobs.close())
        return jobs
      },
      startWorker: async (taskQueue, env) => {
        const worker = await startWorkerProcess({
          ...workerEnv({ address, taskQueue, folder, git, sandboxes }),
          HOLDFAST_LOG_LEVEL: 'error',
          ...env,
        })
        undo.push(() => end(worker, 'SIGTERM'))
        return worker
      },
    })
  } finally {
    for (const step of undo.reverse()) await step()
  }
}
