import { type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { openSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Connection } from '@temporalio/client'
import { connect, type Jobs } from '../../src/index.ts'
import { type DevServer, startDevServer } from '../../src/runtime/temporal/dev-server.ts'
import { locateCli } from '../../src/runtime/temporal/locate-cli.ts'
import { type TestGitHost, testGitHost } from '../support/git-host.ts'
import { type SandboxServer, startSandboxServer } from '../support/sandbox-server.ts'
import { end, startWorkerProcess, workerEnv } from '../support/worker.ts'
import { type EffectCounter, startEffectCounter } from './effects.ts'

/** Everything that jobs depend on, each a real process that can be killed, but for the git host and the counter. */
export interface World {
  onProgress: (line: string) => void
  jobs: Jobs
  connection: Connection
  git: TestGitHost
  counter: EffectCounter
  sandboxes: SandboxServer
  workers: Workers
  /** SIGKILL, and a new server on the same data and port. */
  killTemporal(): Promise<void>
  /** Folders in which a secret must never be found. */
  folders(): string[]
  stop(): Promise<void>
}

export interface Workers {
  /** Ends one by SIGKILL. */
  kill(pick: number): Promise<void>
  /** As many as there should be. */
  refill(): Promise<void>
  /** Stops one for a time, longer than its heartbeats may be late. */
  freeze(pick: number, ms: number): Promise<void>
  killAll(): Promise<void>
}

const WORKERS = 2

/** @param turnAfter events of a history after which Temporal suggests that the workflow goes on in a next run */
export async function startWorld(
  onProgress: (line: string) => void,
  { turnAfter }: { turnAfter?: number | undefined } = {},
): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-chaos-'))
  const [cli, git, counter] = await Promise.all([
    locateCli({ env: process.env, onProgress }),
    testGitHost(),
    startEffectCounter(),
  ])
  const allowed = [`localhost:${git.port}`, `127.0.0.1:${counter.port}`].flatMap((at) => [
    '--allow-host-loopback',
    at,
  ])
  const sandboxes = await startSandboxServer({ args: ['--faults', ...allowed] })
  const startTemporal = (ports?: { port: number; uiPort: number }): Promise<DevServer> =>
    startDevServer({
      cli: cli.path,
      env: process.env,
      logFile: join(folder, 'temporal.log'),
      dbFile: join(folder, 'temporal.db'),
      headless: true,
      tied: true,
      ...(turnAfter && { dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': turnAfter } }),
      ...(ports && { preferredPorts: [ports] }),
    })
  let temporal = await startTemporal()
  const { address } = temporal
  const taskQueue = `chaos-${randomUUID()}`
  const workers = startWorkers(join(folder, 'workers.log'), {
    ...workerEnv({ address, taskQueue, folder, git, sandboxes }),
    HOLDFAST_HEARTBEAT_MS: '500',
  })
  await workers.refill()
  const jobs = await connect({ address, taskQueue })
  const connection = await Connection.connect({ address })
  return {
    onProgress,
    jobs,
    connection,
    git,
    counter,
    sandboxes,
    workers,
    folders: () => [folder, sandboxes.dataDir],
    async killTemporal() {
      process.kill(temporal.pid, 'SIGKILL')
      await temporal.stop()
      temporal = await startTemporal({ port: temporal.port, uiPort: 0 })
      if (temporal.address !== address) throw new Error(`${address} was taken by another program`)
    },
    async stop() {
      await workers.killAll()
      await jobs.close()
      await connection.close()
      await temporal.stop()
      await sandboxes.stop()
      await Promise.all([git.cleanUp(), counter.stop()])
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function startWorkers(logFile: string, env: NodeJS.ProcessEnv): Workers {
  const log = openSync(logFile, 'a')
  const live = new Set<ChildProcess>()
  let wanted = WORKERS
  const take = (pick: number): ChildProcess | undefined => {
    const worker = [...live][pick % Math.max(1, live.size)]
    if (worker) live.delete(worker)
    return worker
  }
  const workers: Workers = {
    async kill(pick) {
      const worker = take(pick)
      if (worker) await end(worker, 'SIGKILL')
    },
    async refill() {
      wanted = WORKERS
      while (live.size < wanted) {
        const worker = await startWorkerProcess(env, log)
        worker.once('exit', () => live.delete(worker))
        live.add(worker)
      }
    },
    async freeze(pick, ms) {
      const worker = [...live][pick % Math.max(1, live.size)]
      if (!worker) return
      worker.kill('SIGSTOP')
      await new Promise((resolve) => setTimeout(resolve, ms))
      worker.kill('SIGCONT')
    },
    async killAll() {
      wanted = 0
      await Promise.all([...live].map((worker) => end(worker, 'SIGKILL')))
    },
  }
  return workers
}
