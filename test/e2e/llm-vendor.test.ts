import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { AgentJobInput } from '../../src/index.ts'
import { type LlmEndpoint, startLlmEndpoint } from '../../src/demo/llm-endpoint.ts'
import { allEvents, eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'
import { script, use } from '../support/scripted-model.ts'

let holdfast: Holdfast
/** What the endpoint answers, test by test. */
let answer: Parameters<typeof startLlmEndpoint>[0]
let endpoint: LlmEndpoint
beforeAll(async () => {
  endpoint = await startLlmEndpoint((request, n) => answer(request, n))
  holdfast = await startHoldfast()
  await holdfast.startWorker()
})
afterAll(async () => {
  await holdfast.stop()
  await endpoint.stop()
})

const step = (prompt: string, rest: object = {}): AgentJobInput['steps'][number] => ({
  llm: { model: 'gpt', baseUrl: endpoint.baseUrl },
  prompt,
  ...rest,
})

const slow = (): Promise<never> => new Promise(() => undefined)

test.each<[string, object, typeof answer, string, RegExp]>([
  ['calls without end', {}, (_, n) => use('list', {}, `c${n}`), 'ModelStuck', /the same call 5 times/],
  [
    'goes on and on',
    { maxTurns: 3 },
    (_, n) => use('search', { pattern: `x${n}` }, `c${n}`),
    'ModelStuck',
    /maxTurns/,
  ],
  [
    'uses too many tokens',
    { maxTokens: 10 },
    () => ({ ...use('list', {}), usage: { prompt_tokens: 20 } }),
    'ModelStuck',
    /maxTokens/,
  ],
  ['calls no tool that there is', {}, (_, n) => use('fly', {}, `c${n}`), 'ModelStuck', /5 answers in a row/],
  [
    'refuses',
    {},
    () => ({ content: 'I can not', finishReason: 'content_filter' }),
    'ModelRefused',
    /I can not/,
  ],
  ['answers with nothing', {}, () => ({ content: '' }), 'ModelRefused', /nothing at all/],
  ['is cut off', {}, () => ({ content: 'I wo', finishReason: 'length' }), 'ModelStuck', /maxOutputTokens/],
  [
    'refuses the key',
    {},
    () => ({ error: { message: 'bad key', type: 'auth' }, status: 401 }),
    'ModelFailed',
    /401: bad key/,
  ],
])('a model that %s ends the job as such', async (_, how, says, type, message) => {
  answer = says
  const job = await holdfast.jobs.submit(await holdfast.spec({ steps: [step('Go', how)] }))
  await expect(job.result()).rejects.toMatchObject({ type, message: expect.stringMatching(message) })
})

test('a model that is away, slow, or over its limit is asked again, as late as it wants', async () => {
  const first = endpoint.asked.length
  const times: number[] = []
  answer = (request, n) => {
    times.push(Date.now())
    if (n === first) return { error: { message: 'slow down', type: 'rate_limit' }, status: 429 }
    if (n === first + 1) return { error: { message: 'oops', type: 'server' }, status: 500 }
    if (n === first + 2) return slow()
    return script(use('write', { path: 'a', content: 'a' }))(request, n)
  }
  const job = await holdfast.jobs.submit(await holdfast.spec({ steps: [step('Go', { callTimeout: '1s' })] }))
  expect(await job.result()).toMatchObject({ outcome: 'completed' })
  expect(times).toHaveLength(5)
  expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(1_000)
})

test('half an answer is asked for again, and one that is none of the protocol ends the job as such', async () => {
  const done = {
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'Done.' } }],
  }
  const whole = JSON.stringify({ id: 'x', object: 'chat.completion', created: 0, model: 'gpt', ...done })
  const asked: string[] = []
  const vendor = createServer((request, response) => {
    const path = request.url?.split('/')[1] ?? ''
    asked.push(path)
    response.writeHead(200, { 'content-type': 'application/json' })
    if (path === 'html') response.end('<html>Welcome</html>')
    else if (path === 'none') response.end(JSON.stringify({ ...JSON.parse(whole), choices: [] }))
    else if (asked.filter((one) => one === path).length > 1) response.end(whole)
    else response.write(whole.slice(0, 80), () => response.destroy())
  })
  await once(vendor.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void vendor.close())
  const { port } = vendor.address() as AddressInfo
  const submit = async (path: string) => {
    const llm = { model: 'gpt', baseUrl: `http://127.0.0.1:${port}/${path}/v1` }
    const steps = [
      { llm, prompt: 'Go' },
      { write: 'a', content: 'a' },
    ]
    return (await holdfast.jobs.submit(await holdfast.spec({ steps }))).result()
  }
  const [half, html, none] = await Promise.allSettled(['half', 'html', 'none'].map(submit))
  expect(half).toMatchObject({ value: { outcome: 'completed' } })
  expect(html).toMatchObject({ reason: { type: 'ModelFailed', message: expect.stringContaining('JSON') } })
  expect(none).toMatchObject({ reason: { type: 'ModelFailed' } })
  expect(asked.toSorted()).toEqual(['half', 'half', 'html', 'none'])
})

test('a model that no worker knows is refused before there is a sandbox', async () => {
  const job = await holdfast.jobs.submit(
    await holdfast.spec({ steps: [{ llm: { model: 'acme:gpt' }, prompt: 'Go' }] }),
  )
  await expect(job.result()).rejects.toMatchObject({
    type: 'ModelFailed',
    message: expect.stringContaining('acme:gpt'),
  })
  expect((await allEvents(job)).map(({ type }) => type)).not.toContain('sandboxCreated')
})

test('a vendor that is away is waited for with the sandbox paused, and the model answers when it is back', async () => {
  let away = true
  const tried = endpoint.asked.length
  answer = (request) =>
    away
      ? { error: { message: 'overloaded' }, status: 503 }
      : script(use('write', { path: 'A', content: 'a' }))(request, 0)
  const spec = await holdfast.spec({ steps: [step('Write A')], sandbox: { pauseAfter: 1_000 } })
  const job = await holdfast.jobs.submit(spec)
  const outage = await eventOf(job, 'outage')
  expect(outage.failure.type).toBe('ModelUnavailable')
  expect(endpoint.asked.length - tried).toBe(5)
  expect(await job.status()).toMatchObject({ waitingFor: { kind: 'outage' }, sandbox: { state: 'paused' } })
  away = false
  const { commit } = await job.result()
  expect(await holdfast.repository(spec.repo.url).show(`${commit}:A`)).toBe('a')
  expect((await allEvents(job)).filter(({ type }) => type === 'outageOver')).toHaveLength(1)
})
