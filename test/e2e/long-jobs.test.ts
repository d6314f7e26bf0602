import { setInterval } from 'node:timers/promises'
import type { ChatCompletionRequest } from '@copilotkit/aimock'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type AgentJobInput,
  HoldfastError,
  type Job,
  type JobEvent,
  type JobSummary,
  secret,
} from '../../src/index.ts'
import { type LlmEndpoint, startLlmEndpoint } from '../../src/demo/llm-endpoint.ts'
import { fetchRuns, replay } from '../support/histories.ts'
import { allEvents, end, eventOf, type Holdfast, startHoldfast, untilPrinted } from '../support/holdfast.ts'
import { turnOf, use } from '../support/scripted-model.ts'
import { installSmallAgent, smallAgent, spoken } from '../support/small-agent.ts'
import { startTemporal } from '../support/temporal.ts'

/** A run of so many events is a long one here; Temporal's own word is 4,096. */
const LONG = 60

let holdfast: Holdfast
/** What the endpoint answers, test by test. */
let answer: Parameters<typeof startLlmEndpoint>[0]
let endpoint: LlmEndpoint
const worlds: { stop(): Promise<void> }[] = []
beforeAll(async () => {
  const dynamicConfig = { 'limit.historyCount.suggestContinueAsNew': LONG }
  const temporal = await startTemporal({ headless: true, dynamicConfig })
  endpoint = await startLlmEndpoint((request, n) => answer(request, n))
  holdfast = await startHoldfast({
    address: temporal.address,
    sandboxArgs: ['--allow-host-loopback', `localhost:${endpoint.port}`],
  })
  worlds.push(holdfast, endpoint, temporal)
  await startWorker()
})
afterAll(async () => {
  for (const world of worlds) await world.stop()
})

const startWorker = () => holdfast.startWorker({ HOLDFAST_SECRET_MODEL_KEY: 'sk-the-key-of-the-model' })

const llm = (rest: object = {}): AgentJobInput['steps'][number] => ({
  llm: { model: 'gpt', baseUrl: endpoint.baseUrl, key: secret('MODEL_KEY') },
  prompt: 'Write the answer',
  ...rest,
})

/** Each command counts its own runs. */
const count = (name: string, more = '') => use('run', { command: `echo ${name} >>COUNT${more}` }, name)

const lines = (text: string): string[] => text.trim().split('\n')

/** @returns how many runs it had, all of which replay */
async function runsOf(job: Job): Promise<number> {
  const histories = await fetchRuns(holdfast.workflows, job.id)
  expect(await replay(histories)).toEqual([])
  const types = histories.map(
    ({ history }) => history.events?.[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name,
  )
  // A worker of an earlier version knows no more than the first, and can't begin the job anew.
  expect(types).toEqual(['agentJob', ...histories.slice(1).map(() => 'agentJobContinued')])
  return histories.length
}

test(
  'a model works for many runs of its workflow, is asked to mend a red check and to make a change, loses its worker and its sandbox; nothing is done twice or lost',
  { timeout: 400_000 },
  async () => {
    const first = endpoint.asked.length
    const called: string[] = []
    const call = (name: string, more?: string) => (called.push(name), count(name, more))
    const calls = (prefix: string, n: number) => Array.from({ length: n }, (_, at) => call(`${prefix}-${at}`))
    const answers = [
      ...calls('early', 6),
      // The worker is killed in this one.
      call('slow', '; echo at work; until [ -e ../go ]; do sleep 0.1; done'),
      ...calls('late', 6),
      use('write', { path: 'ANSWER', content: 'wrong\n' }),
      { content: 'Written.' },
      ...calls('mending', 6),
      use('write', { path: 'ANSWER', content: 'right\n' }),
      { content: 'Mended.' },
      // The sandbox is killed before this one.
      call('changing', '; cat ~/installed >INSTALLED'),
      ...calls('changing', 6),
    ]
    answer = (request) => ({
      ...(answers[turnOf(request)] ?? { content: 'Changed.' }),
      usage: { prompt_tokens: 10, completion_tokens: 1 },
    })
    const install = { run: 'echo some tool >~/installed; echo is installed', rerun: 'always' } as const
    const spec = await holdfast.spec({
      steps: [install, llm(), { waitFor: 'somebody', timeout: '1h' }],
      checks: [{ run: 'cat ANSWER; grep -q right ANSWER', name: 'is right' }],
      review: {},
    })
    const job = await holdfast.jobs.submit(spec)
    const submitted = Date.now()
    await job.notify('somebody')
    const stop = new AbortController()
    const refused = refusals(job, stop.signal)
    await untilPrinted(job, 'at work')
    await end(holdfast.workers.at(-1)!, 'SIGKILL')
    await startWorker()
    const [sandbox] = await holdfast.connectSandboxes(job.id)
    await sandbox!.files.write('/home/user/go', '')
    const { seq } = await eventOf(job, 'reviewRequested')
    stop.abort()
    expect(new Set(await refused)).toEqual(new Set(['NotWaitingForTool']))
    expect(await sandbox!.kill()).toBe(true)
    await job.requestChanges({ by: 'a reviewer', feedback: 'Count on' })
    await eventOf(job, 'waitBegan', seq + 1)
    await job.notify('somebody')
    await eventOf(job, 'reviewRequested', seq + 1)
    expect(await job.status()).toMatchObject({ round: 2, phase: 'review' })
    // In the list once, with its columns of now and since its submission.
    await expect.poll(() => listed(job, 'HoldfastReviewNeeded = true')).toHaveLength(1)
    const [{ startedAt }] = (await listed(job)) as [JobSummary]
    expect(startedAt.getTime()).toBeLessThanOrEqual(submitted)
    expect((await holdfast.jobs.submit(spec)).id).toBe(job.id)
    await job.approve({ by: 'a reviewer' })
    const { commit, cost, checks } = await job.result()

    expect(await runsOf(job)).toBeGreaterThan(4)
    const repository = holdfast.repository(spec.repo.url)
    expect(lines(await repository.show(`${commit}:COUNT`))).toEqual(called)
    expect(await repository.show(`${commit}:ANSWER`)).toBe('right')
    expect(await repository.show(`${commit}:INSTALLED`)).toBe('some tool')
    expect(endpoint.asked.slice(first).map(turnOf)).toEqual(
      Array.from({ length: answers.length + 1 }, (_, n) => n),
    )
    expect(cost.models).toMatchObject({
      inputTokens: 10 * (answers.length + 1),
      outputTokens: answers.length + 1,
    })
    const events = await allEvents(job)
    expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index))
    const of = (type: JobEvent['type']) => events.filter((event) => event.type === type)
    expect(of('toolUsed')).toHaveLength(called.length + 2)
    expect(of('modelTurn')).toMatchObject([
      { usage: { outputTokens: 15 } },
      { usage: { outputTokens: 8 } },
      {},
    ])
    expect(of('sandboxRestored')).toHaveLength(1)
    expect(of('sandboxCreated')).toHaveLength(2)
    expect(checks).toMatchObject([{ name: 'is right', exitCode: 0 }])
    // By the name of the first run, and the checkpoints of all of them are gone.
    const printed: string[] = []
    for await (const { text } of job.output({ step: 0 })) printed.push(text)
    expect(printed.join('')).toBe('is installed\n')
    expect((await holdfast.listBlobs()).filter((file) => file.endsWith('.bundle'))).toEqual([])
    expect(await holdfast.listSandboxes()).toEqual([])
  },
)

async function listed(job: Job, condition = 'WorkflowId != ""'): Promise<JobSummary[]> {
  const found: JobSummary[] = []
  const query = `WorkflowId = "${job.id}" AND ${condition}`
  for await (const one of holdfast.jobs.list({ query })) found.push(one)
  return found
}

/** What answers that nobody waits for are told while the job works: ten a second at most, so that it does work. */
async function refusals(job: Job, signal: AbortSignal): Promise<string[]> {
  const types: string[] = []
  for await (const _ of setInterval(100)) {
    if (signal.aborted) break
    try {
      await job.allowTool({ by: 'somebody', call: 'none' })
      types.push('taken')
    } catch (error) {
      types.push(error instanceof HoldfastError ? error.type : String(error))
    }
  }
  return types
}

test("an agent's conversation goes on in another run, and a request for changes that is sent again there changes nothing", async () => {
  const first = endpoint.asked.length
  answer = (_, n) => ({ content: `echo ${n - first} >>ANSWER.md` })
  const many = Array.from({ length: 8 }, (_, n) => ({ run: `echo ${n} >>MANY` }))
  const agent = {
    agent: smallAgent,
    prompt: 'Write the answer',
    model: 'small',
    baseUrl: endpoint.baseUrl,
    key: secret('MODEL_KEY'),
  } as const
  const spec = await holdfast.spec({ steps: [installSmallAgent, agent, ...many], review: {} })
  const job = await holdfast.jobs.submit(spec)
  const handle = holdfast.workflows.getHandle(job.id)
  const change = () =>
    handle.executeUpdate('requestChanges', {
      args: [{ by: 'a reviewer', feedback: 'Once more' }],
      updateId: 'the-same',
    })
  const { seq } = await eventOf(job, 'reviewRequested')
  await change()
  await eventOf(job, 'reviewRequested', seq + 1)
  await change()
  expect(await job.status()).toMatchObject({ round: 2, waitingFor: { kind: 'review' } })
  await job.approve({ by: 'a reviewer' })
  const { commit } = await job.result()
  expect(await runsOf(job)).toBeGreaterThan(2)
  const repository = holdfast.repository(spec.repo.url)
  expect(lines(await repository.show(`${commit}:ANSWER.md`))).toEqual(['0', '1'])
  expect(lines(await repository.show(`${commit}:MANY`))).toHaveLength(16)
  expect(spoken(endpoint.asked.at(-1)!)).toMatch(/Write the answer.*echo 0.*Once more/s)
  expect((await allEvents(job)).filter(({ type }) => type === 'agentTurn')).toMatchObject([
    { resumed: false },
    { resumed: true },
  ])
})

const endless = (request: ChatCompletionRequest) => ({
  ...count(`turn-${turnOf(request)}`),
  usage: { prompt_tokens: 1_000 },
})

test('what a job has cost in earlier runs counts towards its limit', async () => {
  answer = endless
  const step = llm({ prices: { inputUsd: 1_000, outputUsd: 1 } })
  const job = await holdfast.jobs.submit(await holdfast.spec({ steps: [step], limits: { costUsd: 19.5 } }))
  await expect(job.result()).rejects.toMatchObject({ type: 'LimitReached' })
  expect((await job.status()).cost.models.usd).toBeCloseTo(20, 1)
  expect(await runsOf(job)).toBeGreaterThan(2)
})

test('a job is cancelled in a later run, with its sandbox', async () => {
  answer = (request) => (turnOf(request) < 12 ? endless(request) : count('last', '; echo at work; sleep 600'))
  const job = await holdfast.jobs.submit(await holdfast.spec({ steps: [llm()] }))
  await untilPrinted(job, 'at work')
  await job.cancel()
  await expect(job.result()).rejects.toMatchObject({ type: 'JobCancelled' })
  expect(await runsOf(job)).toBeGreaterThan(1)
  expect(await holdfast.connectSandboxes(job.id)).toEqual([])
})

test('no notification is lost between two runs, and a model that came with a request for changes goes on in another one', async () => {
  answer = (request) => (turnOf(request) < 12 ? endless(request) : { content: 'Done.' })
  const names = Array.from({ length: 24 }, (_, n) => `n${n}`)
  const waits = names.map((waitFor) => ({ waitFor, timeout: '1h' }))
  const job = await holdfast.jobs.submit(await holdfast.spec({ steps: [llm(), ...waits], review: {} }))
  // One with each thing that the job does, so that some come while a run ends.
  for await (const _ of job.events()) {
    const name = names.shift()
    if (name === undefined) break
    await job.notify(name)
  }
  const { seq } = await eventOf(job, 'reviewRequested')
  const steps = [llm({ prompt: 'Write another one' })]
  await job.requestChanges({ by: 'a reviewer', feedback: 'Another one', steps })
  await eventOf(job, 'reviewRequested', seq + 1)
  await job.approve({ by: 'a reviewer' })
  expect(await job.result()).toMatchObject({ outcome: 'completed' })
  expect(await runsOf(job)).toBeGreaterThan(4)
  const turns = (await allEvents(job)).filter(({ type }) => type === 'modelTurn')
  expect(turns).toMatchObject([{ turns: 13 }, { turns: 13 }])
})
