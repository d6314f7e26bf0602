import { Sandbox, SandboxNotFoundError, type SandboxInfo, type SandboxListOpts } from 'e2b'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

let server: SandboxServer
beforeAll(async () => {
  server = await startSandboxServer()
})
afterAll(() => server.stop())

const create = (options = {}) => Sandbox.create({ ...server.connection, timeoutMs: 120_000, ...options })
const control = (method: string, path: string, body?: unknown, key = server.apiKey) =>
  fetch(`${server.apiUrl}${path}`, {
    method,
    headers: { 'x-api-key': key, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })

/** As clients send it: each part encoded on its own first. */
const form = (metadata: Record<string, string>) =>
  new URLSearchParams(
    Object.entries(metadata).map((pair) => pair.map(encodeURIComponent) as [string, string]),
  ).toString()

async function listAll(options: SandboxListOpts): Promise<SandboxInfo[]> {
  const pages = Sandbox.list({ ...server.connection, ...options })
  const found: SandboxInfo[] = []
  while (pages.hasNext) found.push(...(await pages.nextItems()))
  return found
}

const diskOnly = { templateID: 'base', autoPause: true, autoPauseMemory: false }

describe('create', () => {
  test('a new sandbox is running, with the metadata, end and lifecycle asked for', async () => {
    const before = Date.now()
    const sandbox = await create({
      metadata: { job: 'a b&c=ä' },
      lifecycle: { onTimeout: 'pause', autoResume: false },
    })
    const info = await sandbox.getInfo()
    expect(info).toMatchObject({
      sandboxId: sandbox.sandboxId,
      state: 'running',
      metadata: { job: 'a b&c=ä' },
      lifecycle: { onTimeout: 'pause', autoResume: false },
    })
    expect(info.endAt.getTime() - before).toBeGreaterThanOrEqual(120_000)
    expect(info.endAt.getTime() - before).toBeLessThan(130_000)
    expect(await sandbox.isRunning()).toBe(true)
  })

  test('a field of the wrong type is refused with 400 naming it', async () => {
    const answer = await control('POST', '/v2/sandboxes', { templateID: 'base', timeout: 'soon' })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({
      code: 400,
      message: expect.stringContaining('timeout') as string,
    })
  })

  test.each([
    ['no template', {}],
    ['a timeout of 0', { templateID: 'base', timeout: 0 }],
    ['autoPauseMemory false without autoPause', { templateID: 'base', autoPauseMemory: false }],
    ['an allowed domain while all is open', { templateID: 'base', network: { allowOut: ['example.com'] } }],
    ['a denied domain', { templateID: 'base', network: { denyOut: ['example.com'] } }],
    ['a timeout of more than a day', { templateID: 'base', timeout: 86_401 }],
    ['autoPauseMemory false with autoResume', { ...diskOnly, autoResume: { enabled: true } }],
    ['an option that is not offered', { templateID: 'base', iam: {} }],
    ['a volume', { templateID: 'base', volumeMounts: [{ name: 'data', path: '/data' }] }],
  ])('%s is refused with 400', async (_name, body) => {
    expect((await control('POST', '/v2/sandboxes', body)).status).toBe(400)
  })

  test('a body that is no JSON is refused with 400', async () => {
    const headers = { 'x-api-key': server.apiKey }
    const answer = await fetch(`${server.apiUrl}/v2/sandboxes`, { method: 'POST', headers, body: '{"templ' })
    expect(answer.status).toBe(400)
  })
})

describe('the paths of older clients', () => {
  test('create has 15 s, connect extends, a refresh only ever extends, and the list has the running ones', async () => {
    const made = await control('POST', '/sandboxes', { templateID: 'base', metadata: { old: 'yes' } })
    expect(made.status).toBe(201)
    const answer = (await made.json()) as { sandboxID: string }
    expect(answer).toEqual({
      sandboxID: expect.stringMatching(/^i[a-z0-9]{19}$/) as string,
      templateID: 'base',
      alias: 'base',
      clientID: 'local',
      envdVersion: '0.6.4',
      envdAccessToken: expect.stringMatching(/^\S{20,}$/) as string,
      trafficAccessToken: null,
      domain: null,
    })
    const path = `/sandboxes/${answer.sandboxID}`
    const secondsLeft = async () => {
      const { endAt } = (await (await control('GET', path)).json()) as { endAt: string }
      return (Date.parse(endAt) - Date.now()) / 1000
    }
    expect(await secondsLeft()).toBeLessThanOrEqual(15)
    expect((await control('POST', `${path}/connect`, { timeout: 60 })).status).toBe(200)
    expect((await control('POST', `${path}/refreshes`, {})).status).toBe(204)
    expect(await secondsLeft()).toBeGreaterThan(40)
    expect((await control('POST', `${path}/refreshes`, { duration: 300 })).status).toBe(204)
    expect(await secondsLeft()).toBeGreaterThan(200)

    const list = async () =>
      (await (await control('GET', '/sandboxes?metadata=old%3Dyes')).json()) as { sandboxID: string }[]
    expect((await list()).map(({ sandboxID }) => sandboxID)).toEqual([answer.sandboxID])
    await control('POST', `${path}/pause`)
    expect(await list()).toEqual([])
    expect((await control('POST', `${path}/timeout`, { timeout: 60 })).status).toBe(404)
  })
})

describe('authentication', () => {
  test.each([['wrong'], ['']])('API key %j is refused with 401', async (key) => {
    const answer = await control('GET', '/v2/sandboxes', undefined, key)
    expect(answer.status).toBe(401)
    expect(await answer.json()).toMatchObject({ code: 401 })
  })

  test("another sandbox's token is refused with 401 by envd", async () => {
    const [one, other] = await Promise.all([create(), create()])
    const answer = await fetch(`${server.sandboxUrl}/envs`, {
      headers: {
        'E2b-Sandbox-Id': one.sandboxId,
        'E2b-Sandbox-Port': '49983',
        'X-Access-Token': (other as unknown as { envdAccessToken: string }).envdAccessToken,
      },
    })
    expect(answer.status).toBe(401)
    expect(await answer.json()).toMatchObject({ code: 401 })
  })
})

describe('kill', () => {
  test('a killed sandbox is gone for every call', async () => {
    const sandbox = await create()
    expect(await sandbox.kill()).toBe(true)
    expect(await Sandbox.kill(sandbox.sandboxId, server.connection)).toBe(false)
    expect(await sandbox.isRunning()).toBe(false)
    await expect(Sandbox.connect(sandbox.sandboxId, server.connection)).rejects.toThrow(SandboxNotFoundError)
    await expect(sandbox.getInfo()).rejects.toThrow(SandboxNotFoundError)
    await expect(sandbox.commands.run('true')).rejects.toThrow(SandboxNotFoundError)
  })

  test('a paused sandbox can be killed without being resumed', async () => {
    const sandbox = await create()
    await sandbox.pause()
    expect(await sandbox.kill()).toBe(true)
    expect((await control('GET', `/sandboxes/${sandbox.sandboxId}`)).status).toBe(404)
  })

  test('a command that runs while its sandbox is killed fails', async () => {
    const sandbox = await create()
    const command = await sandbox.commands.run('sleep 100', { background: true })
    const outcome = command.wait().catch((error: Error) => error.message)
    await sandbox.kill()
    expect(await outcome).toMatch(/killed|end of life|terminated/i)
  })
})

describe('timeout', () => {
  test('a sandbox is killed at its end', async () => {
    const sandbox = await create({ timeoutMs: 1_000 })
    await expect.poll(() => sandbox.isRunning()).toBe(false)
    await expect.poll(async () => (await control('GET', `/sandboxes/${sandbox.sandboxId}`)).status).toBe(404)
  })

  test('a sandbox with onTimeout pause is paused at its end, and resumes', async () => {
    const sandbox = await create({ lifecycle: { onTimeout: 'pause', autoResume: false } })
    await sandbox.files.write('kept', 'yes')
    await sandbox.setTimeout(1_000)
    await expect.poll(async () => (await sandbox.getInfo()).state).toBe('paused')
    expect(await sandbox.isRunning()).toBe(false)
    await sandbox.connect({ timeoutMs: 60_000 })
    expect(await sandbox.files.read('kept')).toBe('yes')
  })

  test('a timeout of 0 does at once what the lifecycle says', async () => {
    const sandbox = await create({ lifecycle: { onTimeout: 'pause', autoResume: false } })
    await sandbox.setTimeout(0)
    await expect.poll(async () => (await sandbox.getInfo()).state).toBe('paused')
  })

  test('connect only ever extends, setTimeout may shorten', async () => {
    const sandbox = await create({ timeoutMs: 100_000 })
    const { endAt } = await sandbox.getInfo()
    await sandbox.connect({ timeoutMs: 10_000 })
    expect((await sandbox.getInfo()).endAt).toEqual(endAt)
    await sandbox.connect({ timeoutMs: 200_000 })
    expect((await sandbox.getInfo()).endAt.getTime()).toBeGreaterThan(endAt.getTime() + 90_000)
    await sandbox.setTimeout(10_000)
    expect((await sandbox.getInfo()).endAt.getTime()).toBeLessThan(endAt.getTime())
  })
})

describe('status codes', () => {
  test('connect is 200 on a running sandbox and 201 on a paused one', async () => {
    const { sandboxId } = await create()
    const connect = () => control('POST', `/v2/sandboxes/${sandboxId}/connect`, { timeout: 60 })
    expect((await connect()).status).toBe(200)
    expect((await control('POST', `/sandboxes/${sandboxId}/pause`)).status).toBe(204)
    expect((await connect()).status).toBe(201)
  })

  test('pause and resume are 409 in the state they would bring about', async () => {
    const { sandboxId } = await create()
    expect((await control('POST', `/sandboxes/${sandboxId}/resume`, { timeout: 60 })).status).toBe(409)
    expect((await control('POST', `/sandboxes/${sandboxId}/pause`)).status).toBe(204)
    const again = await control('POST', `/sandboxes/${sandboxId}/pause`)
    expect(again.status).toBe(409)
    expect(await again.json()).toMatchObject({ code: 409 })
    expect((await control('POST', `/sandboxes/${sandboxId}/resume`, { timeout: 60 })).status).toBe(201)
  })

  test.each([
    ['GET', '/sandboxes/iunknown'],
    ['DELETE', '/sandboxes/iunknown'],
    ['POST', '/sandboxes/iunknown/pause'],
    ['POST', '/v2/sandboxes/iunknown/connect'],
  ])('%s %s is 404 with a matching code', async (method, path) => {
    const answer = await control(method, path, method === 'POST' ? {} : undefined)
    expect(answer.status).toBe(404)
    expect(await answer.json()).toMatchObject({ code: 404 })
  })

  test.each([['..%2f..%2fetc'], ['A'], ['a-b-c']])('sandbox id %j is refused with 400', async (id) => {
    expect((await control('GET', `/sandboxes/${id}`)).status).toBe(400)
  })
})

describe('list', () => {
  test('filters by metadata and state, newest first, over pages', async () => {
    const group = `list ${Math.random()}`
    const made: Sandbox[] = []
    for (const index of ['0', '1', '2'])
      made.push(await create({ metadata: { group, index, odd: 'ü=&+ %41' } }))
    await made[1]!.pause()
    const ids = made.map(({ sandboxId }) => sandboxId)
    const metadata = { group, odd: 'ü=&+ %41' }
    const found = await listAll({ query: { metadata }, limit: 2 })
    expect(found.map(({ sandboxId }) => sandboxId)).toEqual([...ids].reverse())
    const paused = await listAll({ query: { metadata, state: ['paused'] } })
    expect(paused.map(({ sandboxId }) => sandboxId)).toEqual([ids[1]])
    const running = await listAll({ query: { metadata, state: ['running'] } })
    expect(running.map(({ sandboxId }) => sandboxId)).toEqual([ids[2], ids[0]])
    expect(await listAll({ query: { metadata: { group: 'another' } } })).toEqual([])
  })

  test('filters by template and start, and counts what is running before it cuts the page', async () => {
    const metadata = { group: `start ${Math.random()}` }
    const first = await create({ metadata })
    const { startedAt } = await (await create({ metadata })).getInfo()
    const query = (more: Record<string, string>) =>
      control('GET', `/v2/sandboxes?${new URLSearchParams({ metadata: form(metadata), ...more }).toString()}`)
    const since = await query({ startedAfter: startedAt.toISOString() })
    expect(await since.json()).toHaveLength(1)
    const page = await query({ template: 'base', limit: '1', order: 'asc' })
    expect(page.headers.get('x-total-running')).toBe('2')
    expect(await page.json()).toMatchObject([{ sandboxID: first.sandboxId, state: 'running' }])
    expect(await (await query({ template: 'other' })).json()).toEqual([])
    expect((await query({ startedAfter: 'yesterday' })).status).toBe(400)
  })

  test('a page token is refused with 400 under another order', async () => {
    await Promise.all([create(), create()])
    const first = await control('GET', '/v2/sandboxes?limit=1&order=desc')
    const token = first.headers.get('x-next-token')
    expect(token).toBeTruthy()
    expect((await control('GET', `/v2/sandboxes?limit=1&order=asc&nextToken=${token}`)).status).toBe(400)
    expect((await control('GET', `/v2/sandboxes?limit=1&order=desc&nextToken=${token}`)).status).toBe(200)
  })
})
