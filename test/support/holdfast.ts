import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Client, Connection, type ScheduleDescription, type WorkflowClient } from '@temporalio/client'
import { Sandbox, type SandboxInfo } from 'e2b'
import { inject, onTestFinished } from 'vitest'
import { connect, type AgentJobInput, type Job, type JobEvent, type Jobs, secret } from '../../src/index.ts'
import { keysOfClient } from '../../src/client/keys.ts'
import { git } from '../../src/demo/git.ts'
import { filesWith, historiesWith, sealedBlobsWith, textsWith } from './canaries.ts'
import { EncryptionCodec } from '../../src/payloads/encryption.ts'
import { type TestGitHost, testGitHost } from './git-host.ts'
import { startSandboxServer, type SandboxServer } from './sandbox-server.ts'
import { startTelemetry } from './telemetry.ts'
import { end, startWorkerProcess } from './worker.ts'

export { end }

/** The real parts of one test file: sandbox server, git host, client, and workers as processes. */
export interface Holdfast {
  jobs: Jobs
  /** Those that `startWorker` has started, in order. */
  workers: ChildProcess[]
  /** The bare repository behind a clone URL. */
  repository(url: string): Repository
  sandboxes: SandboxServer
  /** Every file of the blob store. */
  listBlobs(): Promise<string[]>
  /** Every sandbox that the server has, by the SDK's own list. */
  listSandboxes(): Promise<SandboxInfo[]>
  taskQueue: string
  /** Where the workers keep blobs. */
  blobStore: string
  gitHost: Pick<TestGitHost, 'stop' | 'start'>
  /** Handles of a job's sandboxes, by the SDK; resumes paused ones. */
  connectSandboxes(workflowId: string): Promise<Sandbox[]>
  /** The token that may push. */
  gitToken: string
  /** Starts a worker process; it is ended with the file. */
  startWorker(env?: NodeJS.ProcessEnv, log?: number | 'pipe'): Promise<ChildProcess>
  /** Temporal's own client, as the UI uses it. */
  workflows: WorkflowClient
  /** Starts the workflow as the Temporal UI would, past our client's checks. */
  startUnchecked(id: string, spec: unknown): Promise<Job>
  updateUnchecked(id: string, update: string, input: unknown): Promise<unknown>
  terminate(id: string): Promise<unknown>
  /** The events of a workflow's history, by the names of their attributes: `timerStartedEventAttributes`. */
  historyOf(id: string): Promise<string[]>
  describeSchedule(id: string): Promise<ScheduleDescription>
  /** A spec against a fresh copy of the demo repository, of a name of its own or the one given. */
  spec(changes?: Partial<AgentJobInput>, name?: string): Promise<AgentJobInput>
  /**
   * Where secrets of this world are found: in histories of its task queue, blobs, files of its sandbox server and of sandboxes,
   * killed ones too, logs, traces, and metrics of the workers that live.
   *
   * @param secrets those of the workers, unless others are looked for
   */
  leaks(secrets?: string[]): Promise<string[]>
  /** Ends and removes everything. @throws Error where a secret of the workers is found in what this world leaves */
  stop(): Promise<void>
}

/**
 * @param options.sandboxArgs more arguments of the sandbox server
 * @param options.forgetKilled disks of killed sandboxes aren't searched for tokens, since the file's tests have them written there, or have very much on them
 * @param options.address of a Temporal server in place of the suite's
 * @param options.encryptionKeys of client and workers, who otherwise write plain payloads
 */
export async function startHoldfast(
  options: {
    sandboxArgs?: string[]
    forgetKilled?: boolean
    encryptionKeys?: string
    address?: string
  } = {},
): Promise<Holdfast> {
  const host = await testGitHost()
  const sandboxes = await startSandboxServer({
    args: [
      ...(options.forgetKilled ? [] : ['--keep-killed']),
      ...['localhost', '127.0.0.1'].flatMap((name) => ['--allow-host-loopback', `${name}:${host.port}`]),
      ...(options.sandboxArgs ?? []),
    ],
  })
  const blobs = await mkdtemp(join(tmpdir(), 'holdfast-blobs-'))
  const taskQueue = `test-${randomUUID()}`
  const { encryptionKeys = '', address = inject('temporalAddress') } = options
  const blobStore = pathToFileURL(blobs).href
  const jobs = await connect({ address, taskQueue, blobStore, encryptionKeys })
  const connection = await Connection.connect({ address })
  const keys = keysOfClient(encryptionKeys)
  const payloadCodecs = [new EncryptionCodec(keys)]
  const { workflow, schedule } = new Client({ connection, dataConverter: { payloadCodecs } })
  const workers: ChildProcess[] = []
  const logs: string[] = []
  const telemetry = await startTelemetry()
  const secretsOfJobs = new Set([host.token, host.readOnlyToken])
  const leaks = async (secrets = [...secretsOfJobs]): Promise<string[]> => {
    await telemetry.scrape()
    const told = { 'a log': logs.join(''), 'a trace': telemetry.traces(), metrics: telemetry.metrics() }
    return [
      ...(await historiesWith(secrets, workflow, taskQueue, keys)),
      ...(await filesWith(secrets, [blobs, sandboxes.dataDir])),
      ...(await sealedBlobsWith(secrets, blobs, keys)),
      ...textsWith([...secrets, sandboxes.apiKey], told),
      ...textsWith(secrets, { "the sandbox server's log": sandboxes.log() }),
    ]
  }
  const environment = (extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
    ...process.env,
    TEMPORAL_ADDRESS: address,
    HOLDFAST_TASK_QUEUE: taskQueue,
    HOLDFAST_HEARTBEAT_MS: '250',
    HOLDFAST_LOG_LEVEL: 'error',
    HOLDFAST_BLOB_STORE: blobStore,
    HOLDFAST_ENCRYPTION_KEYS: encryptionKeys,
    HOLDFAST_SECRET_GIT_TOKEN: host.token,
    HOLDFAST_SECRET_READ_TOKEN: host.readOnlyToken,
    HOLDFAST_SECRET_WRONG_TOKEN: 'wrong-token',
    E2B_API_KEY: sandboxes.apiKey,
    E2B_API_URL: sandboxes.apiUrl,
    E2B_SANDBOX_URL: sandboxes.sandboxUrl,
    ...extra,
  })
  return {
    jobs,
    workers,
    sandboxes,
    repository: (url) => repository(host, url),
    gitHost: host,
    connectSandboxes: async (workflowId) => {
      const query = { metadata: { holdfastWorkflowId: workflowId } }
      const found = await Sandbox.list({ ...sandboxes.connection, query }).nextItems()
      return Promise.all(found.map(({ sandboxId }) => Sandbox.connect(sandboxId, sandboxes.connection)))
    },
    listBlobs: () => listFiles(blobs),
    listSandboxes: async () => {
      const pages = Sandbox.list(sandboxes.connection)
      const all: SandboxInfo[] = []
      while (pages.hasNext) all.push(...(await pages.nextItems()))
      return all
    },
    taskQueue,
    blobStore,
    gitToken: host.token,
    startWorker: async (env = {}, log = 'pipe') => {
      for (const [name, value] of Object.entries(env))
        if (name.startsWith('HOLDFAST_SECRET_') && value) secretsOfJobs.add(value)
      const settings = await telemetry.settingsFor({ ...process.env, ...env })
      const worker = await startWorkerProcess(environment({ ...settings, ...env }), log, (text) => {
        logs.push(text)
        process.stderr.write(text)
      })
      workers.push(worker)
      return worker
    },
    leaks,
    workflows: workflow,
    startUnchecked: async (id, spec) => {
      const workflowId = `${id}-${randomUUID()}`
      await workflow.start('agentJob', { workflowId, taskQueue, args: [spec] })
      return jobs.get(workflowId)
    },
    updateUnchecked: (id, update, input) => workflow.getHandle(id).executeUpdate(update, { args: [input] }),
    terminate: (id) => workflow.getHandle(id).terminate(),
    historyOf: async (id) => {
      const { events } = await workflow.getHandle(id).fetchHistory()
      return (events ?? []).flatMap((event) =>
        Object.keys(event).filter((key) => key.endsWith('EventAttributes')),
      )
    },
    describeSchedule: (id) => schedule.getHandle(id).describe(),
    spec: async (changes, name = `demo-${randomUUID()}`) => {
      await host.demo(name)
      return {
        id: `job-${randomUUID()}`,
        repo: { url: host.repoUrl(name), auth: secret('GIT_TOKEN') },
        branch: 'holdfast/work',
        steps: [{ write: 'NOTES.md', content: 'made by a job\n' }],
        commit: { message: 'Add notes' },
        push: true,
        ...changes,
      }
    },
    stop: async () => {
      await telemetry.scrape()
      await Promise.all(workers.map((worker) => end(worker, 'SIGTERM')))
      try {
        const leaked = await leaks()
        if (leaked.length > 0) throw new Error(`a secret is in ${leaked.join(', ')}`)
      } finally {
        await jobs.close()
        await connection.close()
        await telemetry.stop()
        await sandboxes.stop()
        await host.cleanUp()
        await rm(blobs, { recursive: true, force: true })
      }
    },
  }
}

async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
}

export interface Repository {
  head(branch: string): Promise<string | undefined>
  /** A file at a revision, as `git show` names it. */
  show(file: string): Promise<string>
  log(branch: string, format: string): Promise<string>
  createBranch(branch: string, from: string): Promise<void>
  rejectPushes(message: string): Promise<void>
  /** Commits a file to a branch, made from main where it isn't there, as somebody else would. */
  commitFile(branch: string, path: string, content: string): Promise<void>
  /** Installs a hook in the bare repository, whose folder is its working folder. */
  installHook(hook: 'pre-receive' | 'post-receive', script: string): Promise<void>
  /** Folder of the bare repository. */
  path: string
}

function repository(host: Awaited<ReturnType<typeof testGitHost>>, url: string): Repository {
  const name = new URL(url).pathname.slice(1).replace(/\.git$/, '')
  const path = join(host.root, `${name}.git`)
  return {
    head: (branch) => host.branchHead(name, branch),
    show: (file) => host.git(name, ['show', file]),
    log: (branch, format) => host.git(name, ['log', `--format=${format}`, branch]),
    createBranch: async (branch, from) => {
      await host.git(name, ['branch', branch, from])
    },
    commitFile: (branch, file, content) => commitFile(path, { branch, file, content }),
    rejectPushes: (message) => host.rejectPushes(name, message),
    path,
    installHook: (hook, script) => host.installHook(name, hook, script),
  }
}

async function commitFile(
  repository: string,
  { branch, file, content }: { branch: string; file: string; content: string },
): Promise<void> {
  const clone = await mkdtemp(join(tmpdir(), 'holdfast-clone-'))
  const identity = ['-c', 'user.name=Someone Else', '-c', 'user.email=else@holdfast.invalid']
  try {
    await git(clone, ['clone', '--quiet', repository, '.'])
    await git(clone, ['checkout', '--quiet', '-B', branch])
    await writeFile(join(clone, file), content)
    await git(clone, ['add', '-A'])
    await git(clone, [...identity, 'commit', '--quiet', '-m', file])
    await git(clone, ['push', '--quiet', 'origin', branch])
  } finally {
    await rm(clone, { recursive: true, force: true })
  }
}

/** Waits for an event of the job. */
export async function eventOf<T extends JobEvent['type']>(
  job: Job,
  type: T,
  from = 0,
): Promise<JobEvent & { type: T }> {
  for await (const event of job.events({ from }))
    if (event.type === type) return event as JobEvent & { type: T }
  throw new Error(`the job ended without ${type}`)
}

/** Every event of the job, when it has ended. */
export async function allEvents(job: Job): Promise<JobEvent[]> {
  const events: JobEvent[] = []
  for await (const event of job.events()) events.push(event)
  return events
}

/** Resolves when the running command has printed the text. */
export async function untilPrinted(job: Job, text: string): Promise<void> {
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  while (!stop.signal.aborted) {
    const live = await job.liveOutput()
    if (live?.recent.includes(text)) return
    // Heartbeats are what a client can see of a running command, and Temporal has no push for them.
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
