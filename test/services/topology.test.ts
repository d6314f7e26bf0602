import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Client, Connection } from '@temporalio/client'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type AgentJobInput, connect, type Job, type Jobs, secret } from '../../src/index.ts'
import { filesWith } from '../support/canaries.ts'
import { documentedCommands } from '../support/documented.ts'
import { end, eventOf, untilPrinted } from '../support/holdfast.ts'
import { type TestGitHost, testGitHost } from '../support/git-host.ts'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'
import { startTopology, type Topology } from '../support/topology.ts'

/** Temporal's own server on PostgreSQL, and two workers, as docker-compose.yml has them. */
let topology: Topology
let git: TestGitHost
let sandboxes: SandboxServer
let jobs: Jobs
let connection: Connection
const workers: ChildProcess[] = []

/** Undone last first, whatever a failed start has left. */
const undo: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  git = await testGitHost()
  undo.push(() => git.cleanUp())
  sandboxes = await startSandboxServer({ args: ['--allow-host-loopback', `localhost:${git.port}`] })
  undo.push(() => sandboxes.stop())
  topology = await startTopology({ git_token: git.token, e2b_api_key: sandboxes.apiKey }, undo)
  for (let n = 0; n < 2; n++) await startWorker()
  const { address, blobStore, encryptionKeys } = topology
  jobs = await connect({ address, blobStore, encryptionKeys })
  undo.push(() => jobs.close())
  connection = await Connection.connect({ address })
  undo.push(() => connection.close())
}, 180_000)
afterAll(async () => {
  for (const step of undo.reverse()) await step()
}, 60_000)

async function startWorker(): Promise<void> {
  const { apiUrl, sandboxUrl } = sandboxes
  workers.push(await topology.startWorker({ E2B_API_URL: apiUrl, E2B_SANDBOX_URL: sandboxUrl }))
}

const stopWorkers = () => Promise.all(workers.map((worker) => end(worker, 'SIGTERM')))

async function spec(changes: Partial<AgentJobInput>): Promise<AgentJobInput> {
  const name = `demo-${randomUUID()}`
  await git.demo(name)
  return {
    id: `job-${randomUUID()}`,
    repo: { url: git.repoUrl(name), auth: secret('GIT_TOKEN') },
    branch: 'holdfast/work',
    steps: [],
    commit: { message: 'Add what was counted' },
    push: true,
    ...changes,
  }
}

const counting =
  'echo run >>runs.txt; for n in $(seq 1 200); do echo "line $n" | tee -a lines.txt; sleep 0.1; done'

/** The worker that follows the job's command. */
async function followerOf(job: Job): Promise<ChildProcess> {
  const { pendingActivities } = await connection.workflowService.describeWorkflowExecution({
    namespace: 'default',
    execution: { workflowId: job.id },
  })
  const identity = pendingActivities?.[0]?.lastWorkerIdentity ?? ''
  const found = workers.find(({ pid }) => identity.startsWith(`${pid}@`))
  if (!found) throw new Error(`'${identity}' is none of our workers`)
  return found
}

test(
  'the database crashes under a command and its worker is killed: both jobs end, and nothing ran twice',
  { timeout: 180_000 },
  async () => {
    const parked = await jobs.submit(
      await spec({ steps: [{ write: 'NOTES.md', content: 'parked\n' }], review: { required: true } }),
    )
    await eventOf(parked, 'reviewRequested')
    const running = await spec({ steps: [{ run: counting, timeout: '5m' }] })
    const job = await jobs.submit(running)
    await untilPrinted(job, 'line 20\n')

    await topology.crashPostgresql()
    const follower = await vi.waitUntil(() => followerOf(job).catch(() => undefined), {
      timeout: 30_000,
      interval: 500,
    })
    await end(follower, 'SIGKILL')

    const { commit } = await job.result()
    const name = new URL(running.repo.url).pathname.slice(1).replace(/\.git$/, '')
    expect(await git.git(name, ['show', `${commit}:runs.txt`])).toBe('run')
    expect((await git.git(name, ['show', `${commit}:lines.txt`])).split('\n')).toHaveLength(200)
    expect(await git.branchHead(name, 'holdfast/work')).toBe(commit)

    await parked.approve({ by: 'the test' })
    expect((await parked.result()).commit).toMatch(/^[0-9a-f]{40}$/)
  },
)

test('the columns of the list are there, and payloads are encrypted', async () => {
  const completed = async (): Promise<string[]> => {
    const { executions } = await connection.workflowService.listWorkflowExecutions({
      namespace: 'default',
      query: "HoldfastOutcome = 'completed'",
    })
    return executions.map(({ execution }) => execution?.workflowId ?? '')
  }
  await expect.poll(completed, { timeout: 45_000 }).toHaveLength(2)
  const [first = ''] = await completed()
  const { events } = await new Client({ connection }).workflow.getHandle(first).fetchHistory()
  const input = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0]
  expect(Buffer.from(input!.metadata!['encoding']!).toString()).toBe('binary/encrypted')
})

test(
  'after a back-up is restored jobs go on from then: one that waited ends, one that has pushed since overwrites nothing, and there is none that came later',
  { timeout: 240_000 },
  async () => {
    const noted = () =>
      spec({ steps: [{ write: 'NOTES.md', content: 'kept\n' }], review: { required: true } })
    const reviewed = async (input?: AgentJobInput): Promise<Job> => {
      const job = await jobs.submit(input ?? (await noted()))
      await eventOf(job, 'reviewRequested')
      return job
    }
    const [backUp, restore] = documentedCommands('operations.md', 'Back-up')
    const pushingSpec = await noted()
    const [waiting, pushing] = [await reviewed(), await reviewed(pushingSpec)]
    await stopWorkers()
    await topology.runDocumented(backUp!)
    await startWorker()
    await pushing.approve({ by: 'the test' })
    const pushed = await pushing.result()
    const late = await reviewed()

    await stopWorkers()
    await topology.stopTemporal()
    await rm(fileURLToPath(topology.blobStore), { recursive: true })
    await topology.runDocumented(restore!)
    topology.startTemporal()
    await startWorker()

    await expect(late.status()).rejects.toMatchObject({ type: 'JobNotFound' })
    await waiting.approve({ by: 'the test' })
    expect((await waiting.result()).commit).toMatch(/^[0-9a-f]{40}$/)
    // Its sandbox is gone, and so are its checkpoints, but for those of the back-up: its work is committed anew.
    await pushing.approve({ by: 'the test' })
    await expect(pushing.result()).rejects.toMatchObject({ type: 'PushNotFastForward' })
    const name = new URL(pushingSpec.repo.url).pathname.slice(1).replace(/\.git$/, '')
    expect(await git.branchHead(name, 'holdfast/work')).toBe(pushed.commit)
    const { sandboxes: left } = await jobs.sandboxes({ graceMs: 0 })
    expect(left.filter(({ fate }) => fate === 'reap').map(({ workflowId }) => workflowId)).toEqual([late.id])
  },
)

test('no secret is in the database, its dumps, the blobs, the disks of sandboxes, or what the programs have printed', async () => {
  expect(await topology.log()).toContain('the worker is ready')
  const names = ['encryption_keys', 'codec_token', 'git_token']
  const secrets = await Promise.all(names.map((name) => topology.secret(name)))
  expect(await filesWith(secrets, [...topology.remains, sandboxes.dataDir])).toEqual([])
  for (const name of ['postgres_password', 'e2b_api_key'])
    expect(await filesWith([await topology.secret(name)], topology.remains), name).toEqual([])
  // What is there is found: branches are columns of the list.
  expect((await filesWith(['holdfast/work'], topology.remains)).join()).toContain(topology.remains[0])
})
