import { type ChatCompletionRequest, MCPMock } from '@copilotkit/aimock'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { type AgentJobInput, secret } from '../../src/index.ts'
import { allEvents, end, eventOf, type Holdfast, startHoldfast, untilPrinted } from '../support/holdfast.ts'
import { type LlmEndpoint, startLlmEndpoint } from '../../src/demo/llm-endpoint.ts'
import { script, turnOf, use } from '../support/scripted-model.ts'

const KEY = 'sk-the-key-of-the-model-2718'

let holdfast: Holdfast
/** What the endpoint answers, test by test. */
let answer: Parameters<typeof startLlmEndpoint>[0]
let endpoint: LlmEndpoint
beforeAll(async () => {
  endpoint = await startLlmEndpoint((request, n) => answer(request, n))
  holdfast = await startHoldfast()
  await startWorker()
})
afterAll(async () => {
  await holdfast.stop()
  await endpoint.stop()
})

const HOLDFAST_MODELS = fileURLToPath(new URL('../support/models.ts', import.meta.url))
const startWorker = () =>
  holdfast.startWorker({
    HOLDFAST_SECRET_MODEL_KEY: KEY,
    HOLDFAST_MODELS,
    LOCAL_MODEL_URL: endpoint.baseUrl,
  })

type Steps = AgentJobInput['steps']
const step = (prompt: string, rest: object = {}): Steps[number] => ({
  llm: { model: 'gpt', baseUrl: endpoint.baseUrl, key: secret('MODEL_KEY') },
  prompt,
  ...rest,
})

const toldLast = ({ messages }: ChatCompletionRequest): string =>
  messages
    .slice(messages.findLastIndex(({ role }) => role === 'assistant') + 1)
    .map(({ content }) => (typeof content === 'string' ? content : JSON.stringify(content)))
    .join('\n')

const FIX = [
  use('list', {}),
  use('search', { pattern: 'rest / size' }),
  use('read', { path: 'src/format.js' }),
  use('run', {
    command: 'echo ran >>../ran; echo at work; until [ -e ../go ]; do sleep 0.1; done; npm test',
  }),
  use('run', {
    command:
      "echo ran >>../ran; sed -i 's/let rest = milliseconds$/const precision = UNITS[last].size; let rest = Math.round(milliseconds \\/ precision) * precision/; s/let i = first;/let i = 0;/; s/i === last ? Math.round(rest \\/ size) : Math.floor(rest \\/ size)/Math.floor(rest \\/ size)/' src/format.js",
  }),
  use('write', { path: 'NOTES.md', content: 'first line\n' }),
  use('patch', { patch: '--- a/NOTES.md\n+++ b/NOTES.md\n@@ -1 +1,2 @@\n first line\n+second line\n' }),
  use('diff', {}),
  use('run', { command: 'echo ran >>../ran; npm test' }, 'call-again'),
  use('run', { command: 'echo ran $(wc -l <../ran) times' }),
]

test('a model mends a failing test by ten calls of tools with a worker killed in a command and one in an answer; no tool is used twice, and the review goes on with its transcript', async () => {
  const first = endpoint.asked.length
  const [asked, mayAnswer] = [new EventTarget(), new EventTarget()]
  let killAt = 6
  answer = async (request) => {
    if (turnOf(request) === killAt) {
      killAt = Infinity
      const told = once(mayAnswer, 'go')
      asked.dispatchEvent(new Event('asked'))
      await told
    }
    return script(
      ...FIX,
      { content: 'Mended.' },
      use('write', { path: 'CHANGES.md', content: 'Rounding carries.\n' }),
    )(request, 0)
  }
  const spec = await holdfast.spec({
    steps: [step('The test of rounding fails. Mend format().', { prices: { inputUsd: 1e4, outputUsd: 0 } })],
    checks: [{ run: 'npm test' }],
    review: {},
  })
  const isAsked = once(asked, 'asked')
  const job = await holdfast.jobs.submit(spec)
  await untilPrinted(job, 'at work')
  await killAndReplaceWorker()
  const [sandbox] = await holdfast.connectSandboxes(job.id)
  await sandbox!.files.write('/home/user/go', '')
  await isAsked
  await killAndReplaceWorker()
  mayAnswer.dispatchEvent(new Event('go'))
  const { seq } = await eventOf(job, 'reviewRequested')
  await job.requestChanges({ by: 'a reviewer', feedback: 'Say so in CHANGES.md' })
  await eventOf(job, 'reviewRequested', seq + 1)
  await job.approve({ by: 'a reviewer' })
  const { commit, cost } = await job.result()
  const repository = holdfast.repository(spec.repo.url)
  expect(await repository.show(`${commit}:CHANGES.md`)).toBe('Rounding carries.')
  expect(await repository.show(`${commit}:NOTES.md`)).toBe('first line\nsecond line')
  expect(await repository.show(`${commit}:src/format.js`)).toContain('precision')
  // Once each, but for the answer whose worker died before it came: whether that was paid, nobody can know.
  expect(endpoint.asked.slice(first).map(turnOf)).toEqual([0, 1, 2, 3, 4, 5, 6, 6, 7, 8, 9, 10, 11, 12])
  const last = JSON.stringify(endpoint.asked.at(-1)!.messages)
  // Each command has counted its runs.
  expect(last).toContain('ran 3 times')
  expect(last).toContain('Say so in CHANGES.md')
  expect(cost.models.usd).toBeCloseTo(cost.models.inputTokens / 100, 5)
  const tools = (await allEvents(job)).filter((event) => event.type === 'toolUsed')
  expect(tools).toHaveLength(11)
})

async function killAndReplaceWorker(): Promise<void> {
  await end(holdfast.workers.at(-1)!, 'SIGKILL')
  await startWorker()
}

test('a call that needs leave waits with the sandbox paused, for this very call and no other; a refusal is told to the model', async () => {
  answer = (request) => {
    const told = toldLast(request)
    if (turnOf(request) === 0) return use('run', { command: 'touch allowed' })
    if (turnOf(request) === 1) return use('run', { command: 'touch refused' })
    if (turnOf(request) === 2 && told.includes('no new files')) return use('run', { command: 'ls' })
    return { content: 'Done.' }
  }
  const spec = await holdfast.spec({
    steps: [step('Touch', { approve: [{ tool: 'run', matching: 'touch' }] })],
  })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'sandboxPaused')
  const first = await waitingTool(job)
  expect(first).toMatchObject({
    kind: 'tool',
    summary: 'run: touch allowed',
    asked: 'command: touch allowed',
  })
  await expect(job.allowTool({ by: 'somebody', call: 'another' })).rejects.toMatchObject({
    type: 'NotWaitingForTool',
  })
  await job.allowTool({ by: 'somebody', call: first.call })
  const { seq } = await eventOf(job, 'toolAnswered')
  await eventOf(job, 'waitBegan', seq)
  const second = await waitingTool(job)
  // What was allowed was the first call: it is no leave for this one.
  await expect(job.allowTool({ by: 'somebody', call: first.call })).rejects.toMatchObject({
    type: 'NotWaitingForTool',
    message: expect.stringContaining(second.call),
  })
  await job.denyTool({ by: 'somebody', call: second.call, reason: 'no new files' })
  const { commit } = await job.result()
  expect(await holdfast.repository(spec.repo.url).show(`${commit}:allowed`)).toBe('')
  const used = (await allEvents(job)).flatMap((event) => (event.type === 'toolUsed' ? [event.summary] : []))
  expect(used).toEqual(['run: touch allowed', 'run: ls'])
})

async function waitingTool(job: Awaited<ReturnType<Holdfast['jobs']['submit']>>) {
  const { waitingFor } = await job.status()
  if (waitingFor?.kind !== 'tool') throw new Error(`it waits for ${waitingFor?.kind}`)
  return waitingFor
}

test('unknown tools, broken input and failing tools are told to the model, which may do better', async () => {
  const told: string[] = []
  answer = (request) => {
    told.push(toldLast(request))
    return script(
      use('fly', { to: 'the moon' }),
      { toolCalls: [{ id: 'broken', name: 'run', arguments: '{"comm' }] },
      use('read', { path: '../../etc/passwd' }),
      use('read', { path: 'nowhere' }),
      use('patch', { patch: 'no patch' }),
      use('run', { command: 'echo out; echo err >&2; exit 3' }),
      use('write', { path: 'a', content: 'a' }),
    )(request, 0)
  }
  const job = await holdfast.jobs.submit(await holdfast.spec({ steps: [step('Go')] }))
  await job.result()
  expect(told.slice(1)).toEqual([
    expect.stringContaining("unavailable tool 'fly'"),
    expect.stringContaining('JSON'),
    expect.stringContaining('leaves the repository'),
    expect.stringMatching(/exit code 1\n.*nowhere/s),
    expect.stringMatching(/exit code \d+\n.*patch/s),
    'exit code 3\nout\n\nerr\n',
    expect.any(String),
  ])
})

test("a model of the worker's own providers works without an endpoint in the spec", async () => {
  answer = script(use('write', { path: 'a', content: 'a' }))
  const spec = await holdfast.spec({ steps: [{ llm: { model: 'local:gpt' }, prompt: 'Go' }] })
  const { commit } = await (await holdfast.jobs.submit(spec)).result()
  expect(await holdfast.repository(spec.repo.url).show(`${commit}:a`)).toBe('a')
})

test('the tools of an MCP server are called by the worker, each call once, and a failing one is told', async () => {
  const called: unknown[] = []
  const tracker = new MCPMock()
    .addTool({
      name: 'close.issue',
      description: 'Closes an issue',
      inputSchema: { type: 'object', properties: { id: { type: 'number' } }, required: ['id'] },
    })
    .onToolCall('close.issue', (input) => {
      called.push(input)
      if (called.length > 1) throw new Error('it is closed already')
      return 'closed'
    })
  const url = await tracker.start()
  onTestFinished(() => tracker.stop())
  const told: string[] = []
  answer = (request) => {
    told.push(toldLast(request))
    return script(
      // Some endpoints number the calls of each answer anew.
      use('tracker__close_issue', { id: 7 }, 'call_0'),
      use('tracker__close_issue', { id: 7 }, 'call_0'),
      use('write', { path: 'a', content: 'a' }),
    )(request, 0)
  }
  const spec = await holdfast.spec({
    steps: [step('Close it', { mcp: [{ name: 'tracker', url, key: secret('MODEL_KEY') }] })],
  })
  const job = await holdfast.jobs.submit(spec)
  await job.result()
  expect(called).toEqual([{ id: 7 }, { id: 7 }])
  expect(told.slice(1, 3)).toEqual(['closed', expect.stringContaining('it is closed already')])
  const used = (await allEvents(job)).flatMap((event) => (event.type === 'toolUsed' ? [event] : []))
  expect(used).toMatchObject([
    { summary: 'tracker__close_issue', ok: true },
    { ok: false },
    { summary: 'write: a', ok: true },
  ])
})

test('a red check goes back to the model with what it printed, in the same transcript', async () => {
  const first = endpoint.asked.length
  answer = script(
    use('write', { path: 'ANSWER', content: 'wrong\n' }),
    { content: 'Written.' },
    use('write', { path: 'ANSWER', content: 'right\n' }),
  )
  const spec = await holdfast.spec({
    steps: [step('Write the answer')],
    checks: [{ run: 'cat ANSWER; grep -q right ANSWER', name: 'is right' }],
  })
  await (await holdfast.jobs.submit(spec)).result()
  const asked = endpoint.asked.slice(first)
  expect(asked.map(turnOf)).toEqual([0, 1, 2, 3])
  expect(toldLast(asked[2]!)).toMatch(/The check "is right" exited with 1.*wrong/s)
})

test('a sandbox lost between two calls of tools is restored, and the model goes on with what it had made', async () => {
  const spec = await holdfast.spec({ steps: [step('Go')] })
  answer = async (request) => {
    if (turnOf(request) === 1)
      await Promise.all((await holdfast.connectSandboxes(spec.id)).map((sandbox) => sandbox.kill()))
    return script(
      use('write', { path: 'a', content: 'before the loss\n' }),
      use('run', { command: 'cat a; echo after it >>a' }),
    )(request, 0)
  }
  const job = await holdfast.jobs.submit(spec)
  const { commit } = await job.result()
  expect(toldLast(endpoint.asked.at(-1)!)).toBe('before the loss\n')
  expect(await holdfast.repository(spec.repo.url).show(`${commit}:a`)).toBe('before the loss\nafter it')
  expect((await allEvents(job)).map(({ type }) => type)).toContain('sandboxRestored')
})

test('forty turns leave a history that two hundred would keep under 1 MB', async () => {
  answer = (request) =>
    turnOf(request) < 40
      ? use(
          turnOf(request) % 4 === 0 ? 'run' : 'search',
          turnOf(request) % 4 === 0
            ? { command: `seq 1 2000; : ${turnOf(request)}` }
            : { pattern: `size|${turnOf(request)}` },
        )
      : turnOf(request) === 40
        ? use('write', { path: 'a', content: 'a' })
        : { content: 'Done.' }
  const job = await holdfast.jobs.submit(await holdfast.spec({ steps: [step('Go')] }))
  await job.result()
  const { raw } = await holdfast.workflows.getHandle(job.id).describe()
  const bytes = Number(raw.workflowExecutionInfo?.historySizeBytes)
  expect(bytes / 42).toBeLessThan((1024 * 1024) / 200)
})

test('a transcript that stays too long without old outputs is summed up by the model, which goes on from that', async () => {
  const first = endpoint.asked.length
  let summedUp = false
  answer = (request, n) => {
    const isSummary = JSON.stringify(request.messages[0]).includes('Sum it up')
    summedUp ||= isSummary
    if (isSummary) return { content: 'The rounding is in format().', usage: { prompt_tokens: 70 } }
    const turn = n - first
    const usage = { prompt_tokens: summedUp ? 10 : 5_000, completion_tokens: 1 }
    if (turn < 15) return { ...use('search', { pattern: `size${turn}` }, `call-${turn}`), usage }
    return turn === 15 ? { ...use('write', { path: 'a', content: 'a' }), usage } : { content: 'Done.', usage }
  }
  const spec = await holdfast.spec({ steps: [step('Mend the rounding', { compactAt: 5_000 })] })
  const job = await holdfast.jobs.submit(spec)
  const { cost } = await job.result()
  const asked = endpoint.asked.slice(first).map(({ messages }) => JSON.stringify(messages))
  const at = asked.findIndex((text) => text.includes('Sum it up'))
  const sum = asked[at] ?? ''
  expect(asked.filter((text) => text.includes('Sum it up'))).toEqual([sum])
  expect(sum).toMatch(/Mend the rounding.*size0.*size4/s)
  expect(asked[at - 1]).toContain('size0')
  for (const text of asked.slice(at + 1))
    expect(text).toMatch(/Mend the rounding.*The rounding is in format\(\)/)
  expect(asked[at + 1]).not.toContain('size0')
  expect(asked[at + 1]).toContain('size11')
  expect(cost.models.inputTokens).toBe(5_000 * at + 70 + 10 * (asked.length - at - 1))
})
