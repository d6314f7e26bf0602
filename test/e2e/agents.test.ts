import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { type EventPlace, type Job, type LiveAgentEvent, secret } from '../../src/index.ts'
import { allEvents, end, eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'
import { type LlmEndpoint, startLlmEndpoint } from '../../src/demo/llm-endpoint.ts'
import { startProgram } from '../support/program.ts'
import { installSmallAgent, smallAgent, spoken } from '../support/small-agent.ts'

const KEY = 'sk-the-key-of-the-model-3141'

let holdfast: Holdfast
const worlds: { stop(): Promise<void> }[] = []
/** What the endpoint answers, test by test. */
let answer: Parameters<typeof startLlmEndpoint>[0]
let endpoint: LlmEndpoint
beforeAll(async () => {
  endpoint = await startLlmEndpoint((request, n) => answer(request, n))
  holdfast = await startHoldfast({
    sandboxArgs: ['--faults', '--allow-host-loopback', `localhost:${endpoint.port}`],
    forgetKilled: true,
  })
  worlds.push(holdfast, endpoint)
  await startWorker()
})
afterAll(async () => {
  for (const world of worlds) await world.stop()
})

const startWorker = () => holdfast.startWorker({ HOLDFAST_SECRET_MODEL_KEY: KEY })

const step = (prompt: string) =>
  ({
    agent: smallAgent,
    prompt,
    model: 'small',
    baseUrl: endpoint.baseUrl,
    key: secret('MODEL_KEY'),
  }) as const

test('an agent whose worker is killed has its turn once, goes on with its conversation after the review, and both its turns are pushed', async () => {
  const first = endpoint.asked.length
  const [asked, mayAnswer] = [new EventTarget(), new EventTarget()]
  answer = async (_, n) => {
    if (n > first) return { content: 'echo again >>ANSWER.md' }
    const told = once(mayAnswer, 'go')
    asked.dispatchEvent(new Event('asked'))
    await told
    return { content: 'echo 42 >ANSWER.md', usage: { prompt_tokens: 100, completion_tokens: 10 } }
  }
  const spec = await holdfast.spec({
    steps: [installSmallAgent, { ...step('Write the answer'), prices: { inputUsd: 1000, outputUsd: 2000 } }],
    checks: [{ run: 'grep -q 42 ANSWER.md', name: 'answered' }],
    review: {},
  })
  const isAsked = once(asked, 'asked')
  const job = await holdfast.jobs.submit(spec)
  const heard = agentEvents(job)
  // Told while the agent still waits for its endpoint.
  const { value: conversation } = await heard.next()
  expect(conversation).toMatchObject({ step: 1, index: 0, event: { type: 'conversation' } })
  await isAsked
  await end(holdfast.workers.at(-1)!, 'SIGKILL')
  await startWorker()
  mayAnswer.dispatchEvent(new Event('go'))
  await eventOf(job, 'reviewRequested')
  const { cost } = await job.status()
  expect(cost.models).toEqual({ inputTokens: 100, outputTokens: 10, usd: 0.12 })
  await job.requestChanges({ by: 'a reviewer', feedback: 'Say it again' })
  const review = (await allEventsUntilReview(job)).at(-1)!
  expect(review).toMatchObject({ type: 'reviewRequested', round: 2 })
  await job.approve({ by: 'a reviewer' })
  const result = await job.result()
  const repository = holdfast.repository(spec.repo.url)
  expect(await repository.show(`${result.commit}:ANSWER.md`)).toBe('42\nagain')

  const [one = '', two = ''] = endpoint.asked.slice(first).map(spoken)
  expect(endpoint.asked.slice(first)).toHaveLength(2)
  expect(one).toMatch(/Write the answer.*branch holdfast\/work, made from main.*grep -q 42 ANSWER.md/s)
  // The same conversation: what was said before, then the feedback.
  expect(two.startsWith(`${one}\nassistant: "echo 42 >ANSWER.md"\nuser: `)).toBe(true)
  expect(two).toContain('Say it again')
  const turns = (await allEvents(job)).filter((event) => event.type === 'agentTurn')
  expect(turns).toMatchObject([
    { resumed: false, message: 'It is done.', toolCalls: 1, usage: { inputTokens: 100, outputTokens: 10 } },
    { resumed: true },
  ])
  const live = await toArray(heard)
  expect(live.slice(0, 3).map(({ index, event }) => [index, event])).toEqual([
    [1, { type: 'usage', inputTokens: 100, outputTokens: 10, costUsd: 0 }],
    [2, { type: 'toolCall', tool: 'sh', input: 'the answer' }],
    [3, { type: 'message', text: 'It is done.' }],
  ])
  expect(live.map(({ step }) => step)).toEqual([1, 1, 1, 3, 3, 3, 3])
  expect((await toArray(agentEvents(job, live[0]))).map(named)).toEqual(live.slice(1).map(named))
  const args = ['--address', inject('temporalAddress'), '--task-queue', holdfast.taskQueue]
  const watch = startProgram([...args, 'watch', job.id, '--json'], {
    HOLDFAST_BLOB_STORE: holdfast.blobStore,
  })
  const shown = (await watch.ended).stdout.split('\n').filter((line) => line.includes('"agentEvent"'))
  expect(shown.map((line) => named(JSON.parse(line) as LiveAgentEvent))).toEqual(
    [conversation!, ...live].map(named),
  )
})

test('a red check goes back to the agent with what it printed, until it is mended', async () => {
  const first = endpoint.asked.length
  answer = (_, n) => ({ content: n === first ? 'echo wrong >ANSWER.md' : 'echo right >ANSWER.md' })
  const spec = await holdfast.spec({
    steps: [installSmallAgent, step('Write the answer')],
    checks: [{ run: 'cat ANSWER.md; grep -q right ANSWER.md', name: 'is right' }],
  })
  const job = await holdfast.jobs.submit(spec)
  const { outcome, checks } = await job.result()
  expect({ outcome, checks }).toMatchObject({
    outcome: 'completed',
    checks: [{ name: 'is right', exitCode: 0 }],
  })
  const asked = endpoint.asked.slice(first).map(spoken)
  expect(asked).toHaveLength(2)
  expect(asked[1]).toMatch(/ANSWER.md \(\+1 -0\)/)
  expect(asked[1]).toMatch(/The check \\"is right\\" exited with 1.*wrong/s)
})

test('the same red check again ends the fixing, with attempts left', async () => {
  const first = endpoint.asked.length
  answer = () => ({ content: 'echo wrong >>ANSWER.md' })
  const spec = await holdfast.spec({
    steps: [installSmallAgent, { ...step('Write the answer'), fixAttempts: 5 }],
    checks: [{ run: 'tail -1 ANSWER.md; grep -q right ANSWER.md' }],
  })
  const job = await holdfast.jobs.submit(spec)
  await expect(job.result()).rejects.toMatchObject({ type: 'CheckFailed' })
  expect(endpoint.asked.slice(first)).toHaveLength(2)
})

test('a conversation that was lost with its sandbox begins anew from the work, and both are told', async () => {
  const first = endpoint.asked.length
  answer = (_, n) => ({ content: n === first ? 'echo 42 >ANSWER.md' : 'echo again >>ANSWER.md' })
  const spec = await holdfast.spec({ steps: [installSmallAgent, step('Write the answer')], review: {} })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  const sandboxes = await holdfast.connectSandboxes(job.id)
  expect(await Promise.all(sandboxes.map((sandbox) => sandbox.kill()))).toEqual([true])
  await job.requestChanges({ by: 'a reviewer', feedback: 'Say it again' })
  const events = await allEventsUntilReview(job)
  expect(events.filter(({ type }) => type === 'conversationLost')).toMatchObject([
    { why: 'where it is kept is not known' },
  ])
  const again = spoken(endpoint.asked.at(-1)!)
  expect(again.split('\n').filter((line) => line.startsWith('user: '))).toHaveLength(1)
  expect(again).toMatch(/This was asked before.*Write the answer.*ANSWER.md \(\+1 -0\).*\+42.*Say it again/s)
  await job.approve({ by: 'a reviewer' })
  const { commit } = await job.result()
  expect(await holdfast.repository(spec.repo.url).show(`${commit}:ANSWER.md`)).toBe('42\nagain')
})

test('a conversation whose place is named goes on in another sandbox, without the keys that lay beside it', async () => {
  const first = endpoint.asked.length
  answer = (_, n) => ({
    content:
      n === first
        ? 'echo hidden >~/.small-agent/auth.json; echo 42 >ANSWER.md'
        : 'ls ~/.small-agent >ANSWER.md',
  })
  const agent = { ...smallAgent, state: ['~/.small-agent'] }
  const spec = await holdfast.spec({
    steps: [installSmallAgent, { ...step('Write the answer'), agent }],
    review: {},
  })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  const sandboxes = await holdfast.connectSandboxes(job.id)
  expect(await Promise.all(sandboxes.map((sandbox) => sandbox.kill()))).toEqual([true])
  await job.requestChanges({ by: 'a reviewer', feedback: 'Look around' })
  await allEventsUntilReview(job)
  const [one, two] = endpoint.asked.slice(first).map(spoken)
  expect(two?.startsWith(`${one}\nassistant: `)).toBe(true)
  await job.approve({ by: 'a reviewer' })
  const { commit } = await job.result()
  const beside = await holdfast.repository(spec.repo.url).show(`${commit}:ANSWER.md`)
  expect(beside).toContain('turns')
  expect(beside).not.toContain('auth.json')
  const events = await allEvents(job)
  expect(events.filter((event) => event.type === 'agentTurn')).toMatchObject([
    { resumed: false },
    { resumed: true },
  ])
  expect(events.filter(({ type }) => type === 'conversationLost')).toEqual([])
})

test.each([
  ['is not in the template', { agent: 'aider' }, 'AgentNotInstalled', /pip install aider-chat/],
  [
    'hangs because its endpoint is dead',
    { agent: { run: 'sleep 60' }, idleTimeout: '1s' },
    'AgentStuck',
    /said nothing for 1 s/,
  ],
  [
    'fails',
    { agent: { run: 'echo \'{"type":"error","message":"no credit"}\'; exit 3' } },
    'AgentFailed',
    /no credit/,
  ],
  [
    'calls tools without end',
    {
      agent: { run: 'while sleep 0.05; do echo \'{"type":"toolCall","tool":"ls","input":"."}\'; done' },
      maxToolCalls: 3,
    },
    'AgentStuck',
    /more than 3 times/,
  ],
  [
    'takes too long',
    { agent: { run: 'while sleep 0.1; do echo .; done' }, timeout: 500 },
    'AgentStuck',
    /0.5 s/,
  ],
] as const)('an agent that %s ends the job as such', async (_, how, type, message) => {
  const spec = await holdfast.spec({ steps: [{ ...how, prompt: 'Go' }] })
  const job = await holdfast.jobs.submit(spec)
  await expect(job.result()).rejects.toMatchObject({ type, message: expect.stringMatching(message) })
})

test.concurrent(
  'an agent is asked to go on once its vendor is back, in the same conversation, with the sandbox paused meanwhile',
  // The expect of a concurrent test is its own: the shared one may be another test's at the time, or nobody's.
  async ({ expect }) => {
    const first = endpoint.asked.length
    let away = true
    answer = () =>
      away ? { error: { message: 'overloaded' }, status: 503 } : { content: 'echo 42 >ANSWER.md' }
    const spec = await holdfast.spec({
      steps: [installSmallAgent, step('Write the answer')],
      sandbox: { pauseAfter: 1_000 },
    })
    const job = await holdfast.jobs.submit(spec)
    const outage = await eventOf(job, 'outage')
    expect(outage.failure).toMatchObject({ type: 'ModelUnavailable', message: 'the endpoint did not answer' })
    // It may ask again and find the vendor away again while this looks.
    await expect
      .poll(() => job.status())
      .toMatchObject({ waitingFor: { kind: 'outage' }, sandbox: { state: 'paused' } })
    away = false
    const { commit } = await job.result()
    expect(await holdfast.repository(spec.repo.url).show(`${commit}:ANSWER.md`)).toBe('42')
    const [one = '', two = ''] = endpoint.asked.slice(first).map(spoken)
    expect(two.startsWith(`${one}\nuser: `)).toBe(true)
    expect(two.slice(one.length)).toMatch(/You were cut off/)
    const events = await allEvents(job)
    expect(events.filter(({ type }) => type === 'outageOver')).toHaveLength(1)
    const turns = events.filter((event) => event.type === 'agentTurn')
    expect(turns[0]).toMatchObject({ resumed: false, unavailable: true })
    expect(turns.slice(1)).toSatisfy((later: typeof turns) => later.every(({ resumed }) => resumed))
    expect(turns.at(-1)).not.toMatchObject({ unavailable: true })
  },
)

test.concurrent(
  'calls of tools, cost and silence of an agent are counted on when its worker was killed',
  async () => {
    const call = 'echo \'{"type":"toolCall","tool":"ls","input":"."}\''
    const calling = `${call}; ${call}; until [ -e ../go ]; do sleep 0.05; done; ${call}; ${call}; sleep 60`
    const use = 'echo \'{"type":"usage","inputTokens":1000000}\''
    const submit = async (run: string, how: object) =>
      holdfast.jobs.submit(await holdfast.spec({ steps: [{ agent: { run }, prompt: 'Go', ...how }] }))
    const jobs = await Promise.all([
      submit(calling, { maxToolCalls: 3 }),
      submit(`${call}; ${call}; sleep 60`, { idleTimeout: '30m' }),
      submit(calling.replaceAll(call, use), { maxCostUsd: 3.5, prices: { inputUsd: 1, outputUsd: 0 } }),
    ])
    // What is told is kept: it will not be followed again.
    for (const job of jobs) for await (const { index } of agentEvents(job)) if (index === 1) break
    await end(holdfast.workers.at(-1)!, 'SIGKILL')
    for (const job of jobs) {
      const [sandbox] = await holdfast.connectSandboxes(job.id)
      await sandbox!.commands.run('touch ~/go; touch -d "1 hour ago" ~/.holdfast/commands/*/std*')
    }
    await startWorker()
    const [called, silent, dear] = await Promise.allSettled(jobs.map((job) => job.result()))
    expect(called).toMatchObject({
      reason: { type: 'AgentStuck', message: expect.stringMatching(/more than 3 times/) },
    })
    expect(silent).toMatchObject({
      reason: { type: 'AgentStuck', message: expect.stringMatching(/said nothing for 1800 s/) },
    })
    expect(dear).toMatchObject({
      reason: { type: 'AgentStuck', message: expect.stringMatching(/has cost the 3.5 USD/) },
    })
  },
)

test.concurrent.each([
  ['is too large', 'head -c 34000000 /dev/zero >~/.mine/large', 'it was not saved: it has more than 32 MiB'],
  [
    'has a secret in it',
    'printenv HOLDFAST_AGENT_KEY >~/.mine/log',
    'it was not saved: it has the value of a secret',
  ],
])('a conversation that %s is not saved, and that is told where it is lost', async (_, remember, why) => {
  const run = `mkdir -p ~/.mine; ${remember}; echo '{"type":"conversation","id":"c"}'; cat >>ANSWER.md`
  const spec = await holdfast.spec({
    steps: [{ agent: { run, state: ['~/.mine'] }, prompt: 'Write the answer', key: secret('MODEL_KEY') }],
    review: {},
  })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  const sandboxes = await holdfast.connectSandboxes(job.id)
  expect(await Promise.all(sandboxes.map((sandbox) => sandbox.kill()))).toEqual([true])
  await job.requestChanges({ by: 'a reviewer', feedback: 'Again' })
  const lost = await eventOf(job, 'conversationLost')
  expect(lost).toMatchObject({ why })
  await eventOf(job, 'reviewRequested', lost.seq)
  await job.approve({ by: 'a reviewer' })
  const { commit } = await job.result()
  const answer = await holdfast.repository(spec.repo.url).show(`${commit}:ANSWER.md`)
  expect(answer).toMatch(/^Write the answer.*This was asked before.*Again$/s)
})
test('a prompt longer than a variable may be reaches the agent byte by byte', async () => {
  const prompt = `'quoted' $HOME \`x\` ${'長い'.repeat(30_000)}`
  const bytes = Buffer.byteLength(prompt)
  expect(bytes).toBeGreaterThan(128 * 1024)
  const spec = await holdfast.spec({
    steps: [
      { agent: { run: `head -c ${bytes} | sha256sum` }, prompt },
      { write: 'a', content: 'a' },
    ],
  })
  const job = await holdfast.jobs.submit(spec)
  await job.result()
  const [turn] = (await allEvents(job)).filter((event) => event.type === 'agentTurn')
  expect(turn?.message).toBe(`${createHash('sha256').update(prompt).digest('hex')}  -`)
})

test('the key is in no history and on no disk of the sandbox', async () => {
  const prints =
    'found=$(grep -rl sk-the-key "$HOME" /tmp 2>/dev/null); printenv HOLDFAST_AGENT_KEY; echo "found in: $found"'
  const spec = await holdfast.spec({
    steps: [
      { agent: { run: prints }, prompt: 'Go', key: secret('MODEL_KEY') },
      { write: 'a', content: 'a' },
    ],
  })
  const job = await holdfast.jobs.submit(spec)
  await job.result()
  const [turn] = (await allEvents(job)).filter((event) => event.type === 'agentTurn')
  expect(turn).toMatchObject({ message: '***\nfound in:' })
  const history = await holdfast.workflows.getHandle(job.id).fetchHistory()
  expect(JSON.stringify(history)).not.toContain(Buffer.from(KEY).toString('base64').slice(4, -4))
})

async function* agentEvents(job: Job, after?: EventPlace): AsyncGenerator<LiveAgentEvent, void> {
  for await (const event of job.events({ agents: true, ...(after && { after }) }))
    if (event.type === 'agentEvent') yield event
}

/** All that has happened up to the next request for a review. */
async function allEventsUntilReview(job: Job) {
  const { seq } = await eventOf(job, 'reviewAnswered')
  const events = []
  for await (const event of job.events({ from: seq })) {
    events.push(event)
    if (event.type === 'reviewRequested') break
  }
  return events
}

/** Whenever it was told, between which events of the job. */
const named = ({ seq: _, ...event }: LiveAgentEvent) => event

async function toArray<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
