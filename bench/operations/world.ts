import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Sandbox } from '@e2b/code-interpreter'
import { Client, Connection } from '@temporalio/client'
import { connect, type Session } from '../../src/index.ts'
import { startDevServer } from '../../src/runtime/temporal/dev-server.ts'
import { locateCli } from '../../src/runtime/temporal/locate-cli.ts'
import { testGitHost } from '../../test/support/git-host.ts'
import { prepareKernels } from '../../test/support/kernels.ts'
import { startSandboxServer } from '../../test/support/sandbox-server.ts'
import { end, startWorkerProcess, workerEnv } from '../../test/support/worker.ts'

/** A session, and a sandbox that is used straight by the SDK, side by side on one server. */
export interface World {
  session: Session
  /** The session's own sandbox, by the SDK: prepares what the session is to do. */
  inside: Sandbox
  /** The other sandbox. */
  sdk: Sandbox
  repoUrl: string
  token: string
  /** Of Temporal, for the session's history. */
  client: Client
  stop(): Promise<void>
}

export async function startWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
  const git = await testGitHost()
  await git.demo('web')
  const sandboxes = await startSandboxServer({
    args: [...(await prepareKernels()), '--allow-host-loopback', `localhost:${git.port}`],
  })
  const cli = await locateCli({ env: process.env, onProgress: console.error })
  const temporal = await startDevServer({
    cli: cli.path,
    env: process.env,
    logFile: join(folder, 'temporal.log'),
    headless: true,
    tied: true,
  })
  const { address } = temporal
  const taskQueue = `bench-${randomUUID()}`
  const worker = await startWorkerProcess(workerEnv({ address, taskQueue, folder, git, sandboxes }))
  const jobs = await connect({ address, taskQueue })
  const connection = await Connection.connect({ address })
  const session = await jobs.sessions.open('bench', { idleTimeout: '12h', sandbox: { timeout: '12h' } })
  const { sandboxId } = await session.getInfo()
  const timeoutMs = 12 * 60 * 60_000
  return {
    session,
    inside: await Sandbox.connect(sandboxId, { ...sandboxes.connection, timeoutMs }),
    sdk: await Sandbox.create({ ...sandboxes.connection, timeoutMs }),
    repoUrl: git.repoUrl('web'),
    token: git.token,
    client: new Client({ connection }),
    async stop() {
      await session.close()
      await end(worker, 'SIGTERM')
      await jobs.close()
      await connection.close()
      await temporal.stop()
      await sandboxes.stop()
      await git.cleanUp()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
