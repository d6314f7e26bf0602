import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type IPty, spawn } from '@lydell/node-pty'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { type Job, type Jobs, connect, secret } from '../../src/index.ts'
import { descendants } from '../../src/local-sandbox/isolation/processes.ts'
import { identify, isAlive } from '../../src/runtime/temporal/process-identity.ts'
import { type TestGitHost, testGitHost } from '../support/git-host.ts'
import { eventOf } from '../support/holdfast.ts'
import { startOtlpReceiver } from '../support/otlp-receiver.ts'
import { BIN, ownEnv } from '../support/program.ts'
import { type TestStack, type Up, testStack } from '../support/stack.ts'

let git: TestGitHost
let stack: TestStack
beforeEach(async () => {
  git = await testGitHost()
  stack = await testStack({
    args: ['--allow-host-port', String(git.port)],
    env: { HOLDFAST_SECRET_GIT_TOKEN: git.token },
  })
})
afterEach(async () => {
  await stack.cleanUp()
  await git.cleanUp()
})

async function withJobs<T>(up: Up, work: (jobs: Jobs) => Promise<T>): Promise<T> {
  const jobs = await connect({ address: up.ready.temporal.address, taskQueue: up.ready.worker.taskQueue })
  try {
    return await work(jobs)
  } finally {
    await jobs.close()
  }
}

/** A job that has come to its review. */
async function reviewedJob(jobs: Jobs): Promise<Job> {
  await git.demo('acme')
  const job = await jobs.submit({
    id: `job-${randomUUID()}`,
    repo: { url: git.repoUrl('acme'), auth: secret('GIT_TOKEN') },
    branch: 'holdfast/work',
    steps: [{ write: 'NOTES.md', content: 'made by a job\n' }],
    review: { required: true },
    commit: { message: 'Add notes' },
    push: true,
  })
  await eventOf(job, 'reviewRequested')
  return job
}

async function approveAndCheck(job: Job): Promise<void> {
  await job.approve({ by: 'the test' })
  const { outcome, commit, sandbox } = await job.result()
  expect({ outcome, sandbox }).toMatchObject({
    outcome: 'completed',
    sandbox: { state: 'killed', pauses: 1, resumes: 1 },
  })
  expect(await git.branchHead('acme', 'holdfast/work')).toBe(commit)
}

/** The UI shows the job, and the log the worker, where `up` says that they are. */
async function checkAddresses({ ready }: Up, job: Job, tracesUrl: string): Promise<void> {
  const { uiUrl, namespace } = ready.temporal
  const shown = await fetch(`${uiUrl}/api/v1/namespaces/${namespace}/workflows/${job.id}`)
  expect(await shown.json()).toMatchObject({ workflowExecutionInfo: { type: { name: 'agentJob' } } })
  expect(await (await fetch(`${uiUrl}/namespaces/${namespace}/workflows`)).text()).toContain('<html')
  expect(ready.worker.tracesUrl).toBe(tracesUrl)
  expect(readFileSync(join(ready.logs, 'worker.log'), 'utf8')).toContain(
    `"metricsUrl":"${ready.worker.metricsUrl}"`,
  )
}

/** The end of a process that isn't our child is no event. */
const untilGone = (pids: number[]): Promise<boolean> =>
  vi.waitUntil(() => pids.every((pid) => !identify(pid)), { timeout: 60_000, interval: 50 })

/** Empty where it has ended. */
function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

const pidsOf = ({ ready }: Up): number[] => [ready.worker.pid, ready.sandboxes.pid!, stack.temporalPid()!]

test('Ctrl-C ends worker, sandbox server and Temporal in this order; the next up has their jobs and ends them', async () => {
  const first = await stack.up()
  const job = await withJobs(first, reviewedJob)

  const second = await stack.start().ended
  expect(second.code).toBe(1)
  expect(JSON.parse(second.stdout)).toEqual({
    error: {
      type: 'StackFailed',
      message: `another Holdfast stack (process ${first.pid}) runs on ${stack.state}`,
      remedy: expect.stringContaining(`kill ${first.pid}), or name another folder`),
    },
  })

  const pids = pidsOf(first)
  for (const pid of pids) expect(identify(pid)).toBeDefined()
  first.send('SIGINT')
  const { code, stdout, stderr } = await first.ended
  expect(code, stderr).toBe(0)
  expect(stdout.trimEnd().split('\n')).toHaveLength(1)
  expect([...stderr.matchAll(/^(.*) has stopped$/gm)].map(([, name]) => name)).toEqual([
    'the worker',
    'the local sandbox server',
    'Temporal',
  ])
  for (const pid of pids) expect(identify(pid)).toBeUndefined()

  const third = await stack.up()
  expect(third.ready.temporal.address).toBe(first.ready.temporal.address)
  await withJobs(third, async (jobs) => {
    expect(await jobs.get(job.id).status()).toMatchObject({ phase: 'review', sandbox: { state: 'paused' } })
    await approveAndCheck(jobs.get(job.id))
  })
})

test('worker, sandbox server and Temporal ended by SIGKILL at once are started again, and a job at its review goes on to its end', async () => {
  const collector = await startOtlpReceiver()
  onTestFinished(() => collector.stop())
  const up = await stack.up({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
  await withJobs(up, async (jobs) => {
    const job = await reviewedJob(jobs)
    for (const pid of pidsOf(up)) process.kill(pid, 'SIGKILL')
    const replaced = await Promise.all([
      up.until('stderr', /^the worker runs again \(process (\d+)\)$/m),
      up.until('stderr', /^the local sandbox server runs again \(process (\d+)\)$/m),
      up.until('stderr', /^Temporal runs again \(process (\d+)\)$/m),
    ])
    // All are where they were: each is known by its port.
    for (const url of [
      `${up.ready.sandboxes.apiUrl}/health`,
      up.ready.worker.metricsUrl,
      up.ready.temporal.uiUrl!,
    ])
      expect((await fetch(url)).ok).toBe(true)
    await approveAndCheck(job)
    await checkAddresses(up, job, `${collector.url}/v1/traces`)

    up.send('SIGTERM')
    expect(await up.ended).toMatchObject({ code: 0 })
    expect(collector.text()).toContain(job.id)
    for (const [, pid] of replaced) expect(identify(Number(pid))).toBeUndefined()
  })
})

test('ended by SIGKILL itself, up leaves neither worker nor sandbox server, and the next up takes over at once', async () => {
  const killed = await stack.up()
  const [worker, sandboxServer, temporal] = pidsOf(killed) as [number, number, number]
  killed.send('SIGKILL')
  await untilGone([worker, sandboxServer])
  expect(identify(temporal)).toBeDefined()

  const next = await stack.up()
  expect(next.ready.temporal.how).toContain(`(pid ${temporal}), left running by a process that was killed`)
  process.kill(temporal, 'SIGKILL')
  await next.until('stderr', /^Temporal runs again/m)
  next.send('SIGINT')
  expect(await next.ended).toMatchObject({ code: 0 })
  await untilGone([stack.temporalPid()!])
})

test('when its terminal is closed, up ends worker, sandbox server and Temporal', async () => {
  const terminal = spawn(process.execPath, [BIN, ...stack.args], { env: ownEnv(), cols: 1_000 })
  let shown = ''
  terminal.onData((text) => (shown += text))
  await expect.poll(() => shown, { timeout: 200_000 }).toMatch(/"temporal":.*"logs":/)
  const children = descendants(terminal.pid).filter(({ parent }) => parent === terminal.pid)
  const pids = [...children.map(({ pid }) => pid), stack.temporalPid()!]
  ;(terminal as IPty & { destroy(): void }).destroy()
  await untilGone([terminal.pid, ...pids])
})

test.each([['src/local-sandbox/main.ts'], ['src/cli.ts']])(
  'ended by SIGKILL while its child %s starts, up leaves none of them',
  async (program) => {
    const up = stack.start()
    const isIt = ({ pid, parent }: { pid: number; parent: number }): boolean =>
      parent === up.pid && commandLine(pid).includes(program)
    const child = await vi.waitUntil(
      () => {
        const found = descendants(up.pid).find(isIt)
        return found && identify(found.pid)
      },
      { timeout: 60_000, interval: 5 },
    )
    up.send('SIGKILL')
    expect(await up.ended).toMatchObject({ signal: 'SIGKILL', stdout: '' })
    await vi.waitUntil(() => !isAlive(child), { timeout: 60_000, interval: 50 })
  },
)

test('a second Ctrl-C forces: up ends with 130 at once, its children by themselves', async () => {
  const up = await stack.up()
  const [worker, sandboxServer] = pidsOf(up) as [number, number, number]
  up.send('SIGINT')
  await up.until('stderr', /^stopping/m)
  up.send('SIGINT')
  const { code, stderr } = await up.ended
  expect(code).toBe(130)
  expect(stderr).not.toContain('Temporal has stopped')
  await untilGone([worker, sandboxServer])
})

test('interrupted while it starts, up ends with 130 and leaves no process behind', async () => {
  const up = stack.start()
  await vi.waitUntil(() => stack.temporalPid(), { timeout: 60_000, interval: 5 })
  up.send('SIGINT')
  expect(await up.ended).toMatchObject({ code: 130, stdout: '' })
  expect(identify(stack.temporalPid()!)).toBeUndefined()
})

test('where the worker is not configured rightly up says which field is wrong, and ends all it started', async () => {
  const up = stack.start({ HOLDFAST_MAX_ACTIVITIES: 'many' })
  const { code, stdout } = await up.ended
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({
    error: {
      type: 'StackFailed',
      message: expect.stringContaining('HOLDFAST_MAX_ACTIVITIES'),
      remedy: 'correct the named settings and start again',
    },
  })
  expect(identify(stack.temporalPid()!)).toBeUndefined()
})
