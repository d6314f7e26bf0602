import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Sandbox, type SandboxOpts } from 'e2b'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openAuthority } from '../../src/local-sandbox/egress/authority.ts'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

const program = await readFile(new URL('../support/port-program.mjs', import.meta.url), 'utf8')

let server: SandboxServer
let shared: Sandbox
beforeAll(async () => {
  server = await startSandboxServer()
  shared = await serving(8000)
})
afterAll(() => server.stop())

const create = (options: SandboxOpts = {}) =>
  Sandbox.create({ ...server.connection, timeoutMs: 120_000, ...options })

/** A sandbox in which the program listens. */
async function serving(port: number, options: SandboxOpts = {}): Promise<Sandbox> {
  const sandbox = await create(options)
  await listen(sandbox, port)
  return sandbox
}

async function listen(sandbox: Sandbox, port: number, more = ''): Promise<void> {
  await sandbox.files.write('program.mjs', program)
  await new Promise<string>((resolve, reject) => {
    const options = { background: true, timeoutMs: 0, onStdout: resolve } as const
    sandbox.commands.run(`node program.mjs ${port} ${more}`, options).catch(reject)
  })
}

interface Ask {
  method?: string
  path?: string
  headers?: Record<string, string>
  body?: Buffer
}

const byHost = (sandbox: Sandbox, port: number) => ({ host: sandbox.getHost(port) })
const byHeaders = ({ sandboxId }: Sandbox, port: number) => ({
  'e2b-sandbox-id': sandboxId,
  'e2b-sandbox-port': String(port),
})

async function ask({ method = 'GET', path = '/', headers = {}, body }: Ask): Promise<IncomingMessage> {
  const request = httpRequest(`${server.apiUrl}${path}`, { method, headers, agent: new Agent() }).end(body)
  return ((await once(request, 'response')) as [IncomingMessage])[0]
}

async function shown(wish: Ask) {
  const answer = await ask(wish)
  expect(answer.statusCode).toBe(200)
  return JSON.parse(await text(answer)) as {
    method: string
    url: string
    rawHeaders: string[]
    bytes: number
    sha256: string
  }
}

async function refused(headers: Record<string, string>) {
  const answer = await ask({ headers })
  return { status: answer.statusCode, body: JSON.parse(await text(answer)) as Record<string, unknown> }
}

async function upgraded(
  headers: Record<string, string>,
): Promise<{ answer: IncomingMessage; socket: Socket }> {
  const websocket = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-key': randomBytes(16).toString('base64'),
    'sec-websocket-version': '13',
  }
  const request = httpRequest(server.apiUrl, { headers: { ...websocket, ...headers } }).end()
  const [answer, socket] = (await once(request, 'upgrade')) as [IncomingMessage, Socket]
  return { answer, socket }
}

describe('a port with a listener', () => {
  test.each([
    ['getHost as Host', byHost],
    [
      'getHost in capitals as Host',
      (...of: [Sandbox, number]) => ({ host: byHost(...of).host.toUpperCase() }),
    ],
    ['the two headers', byHeaders],
  ])('is reached by %s, headers with their case both ways', async (_name, to) => {
    const headers = { ...to(shared, 8000), 'X-MiXed': 'kept', 'X-Access-Token': "the program's own" }
    const { rawHeaders, url } = await shown({ path: '/a%20b?c=d', headers })
    expect(url).toBe('/a%20b?c=d')
    expect(rawHeaders).toContain('X-MiXed')
    expect(rawHeaders).toContain("the program's own")
    expect((await ask({ headers })).rawHeaders).toContain('X-Mixed-Case')
  })

  test('gets envd its token never', async () => {
    const token = (shared as unknown as { envdAccessToken: string }).envdAccessToken
    expect(token).toMatch(/^\w{20,}$/)
    const { rawHeaders } = await shown({ headers: { ...byHeaders(shared, 8000), 'x-access-token': token } })
    expect(rawHeaders).not.toContain(token)
  })

  test('takes large bodies whole', async () => {
    const body = randomBytes(20_000_000)
    const { bytes, sha256 } = await shown({ method: 'PUT', headers: byHost(shared, 8000), body })
    expect(bytes).toBe(body.length)
    expect(sha256).toBe(createHash('sha256').update(body).digest('hex'))
  })

  test('answers HEAD without a body', async () => {
    const answer = await ask({ method: 'HEAD', headers: byHost(shared, 8000) })
    expect(answer.statusCode).toBe(200)
    expect(await text(answer)).toBe('')
  })

  test('sends events as they come', async () => {
    const events = await ask({ path: '/events', headers: byHost(shared, 8000) })
    const seen = events.setEncoding('utf8')[Symbol.asyncIterator]()
    expect((await seen.next()).value).toBe('data: first\n\n')
    await ask({ path: '/next', headers: byHost(shared, 8000) })
    expect((await seen.next()).value).toBe('data: second\n\n')
    events.destroy()
  })

  test('answers a client of HTTP/1.0 without chunks', async () => {
    const { hostname, port } = new URL(server.apiUrl)
    const socket = connect(Number(port), hostname)
    socket.write(`GET / HTTP/1.0\r\nHost: ${shared.getHost(8000)}\r\n\r\n`)
    const [head, body] = (await text(socket)).split('\r\n\r\n')
    expect(head).not.toMatch(/transfer-encoding/i)
    expect(JSON.parse(body!)).toMatchObject({ method: 'GET' })
  })

  test.each([
    ['getHost', byHost],
    ['the two headers', byHeaders],
  ])('speaks websocket by %s', async (_name, to) => {
    const { answer, socket } = await upgraded(to(shared, 8000))
    expect(answer.headers['sec-websocket-accept']).toBeDefined()
    socket.write('ping')
    expect(String((await once(socket, 'data'))[0])).toBe('ping')
    socket.destroy()
  })

  test('has its websockets cut by a pause', async () => {
    const sandbox = await serving(8000)
    const { socket } = await upgraded(byHost(sandbox, 8000))
    await Promise.all([expect(once(socket, 'close')).rejects.toThrow('ECONNRESET'), sandbox.pause()])
  })
})

describe('a port that cannot be reached', () => {
  test('answers 502 for a closed port', async () => {
    expect(await refused(byHost(shared, 9))).toEqual({
      status: 502,
      body: {
        sandboxId: shared.sandboxId,
        message: 'The sandbox is running but port is not open',
        port: 9,
        code: 502,
      },
    })
  })

  test.each([
    ['was killed', (sandbox: Sandbox) => sandbox.kill()],
    ['is paused', (sandbox: Sandbox) => sandbox.pause()],
  ])('answers 502 where the sandbox %s', async (_name, change) => {
    const sandbox = await create()
    await change(sandbox)
    expect(await refused(byHost(sandbox, 8000))).toEqual({
      status: 502,
      body: { sandboxId: sandbox.sandboxId, message: 'The sandbox was not found', code: 502 },
    })
  })

  test('answers 400 to an upgrade that is for none, and the server outlives a client that resets then', async () => {
    const { hostname, port } = new URL(server.apiUrl)
    for (const _ of Array(20)) {
      const socket = connect(Number(port), hostname)
      socket.write('GET / HTTP/1.1\r\nHost: none\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1.1 400 /)
      socket.resetAndDestroy()
    }
    expect((await fetch(`${server.apiUrl}/health`)).status).toBe(200)
  })

  test('answers 400 to one of the two headers alone, and to a port that is none', async () => {
    expect((await refused({ 'e2b-sandbox-id': shared.sandboxId })).status).toBe(400)
    expect((await refused({ 'e2b-sandbox-port': '8000' })).status).toBe(400)
    expect((await refused({ ...byHeaders(shared, 70_000) })).status).toBe(400)
  })
})

test('a request to a port of a paused sandbox with auto-resume wakes it', async () => {
  const sandbox = await serving(8000, { lifecycle: { onTimeout: 'pause', autoResume: true } })
  await sandbox.pause()
  expect((await shown({ headers: byHost(sandbox, 8000) })).method).toBe('GET')
  expect((await sandbox.getInfo()).state).toBe('running')
})

describe('with a host mask', () => {
  test('requests and websockets say the mask with the port, under the name Host', async () => {
    const sandbox = await serving(8000, { network: { maskRequestHost: 'app-${PORT}.example:${PORT}' } })
    const { rawHeaders } = await shown({ headers: { Host: sandbox.getHost(8000) } })
    expect(rawHeaders[rawHeaders.indexOf('Host') + 1]).toBe('app-8000.example:8000')
    const { answer, socket } = await upgraded(byHost(sandbox, 8000))
    expect(answer.headers['x-host']).toBe('app-8000.example:8000')
    socket.destroy()
  })
})

describe('without public traffic', () => {
  let sandbox: Sandbox
  beforeAll(async () => {
    sandbox = await serving(8000, { network: { allowPublicTraffic: false } })
  })
  const withToken = (token: string) => ({ ...byHost(sandbox, 8000), 'E2B-Traffic-Access-Token': token })

  test('a port answers 403 without the token, or with another', async () => {
    expect(await refused(byHost(sandbox, 8000))).toMatchObject({ status: 403, body: { code: 403 } })
    expect((await refused(withToken('wrong'))).status).toBe(403)
    expect((await refused({ ...byHeaders(sandbox, 49_999) })).status).toBe(403)
  })

  test('a port answers with the token, which stays outside; envd needs none', async () => {
    const token = sandbox.trafficAccessToken!
    expect((await shown({ headers: withToken(token) })).rawHeaders).not.toContain(token)
    const { answer, socket } = await upgraded(withToken(token))
    expect(answer.headers['x-token']).toBe('false')
    socket.destroy()
    expect((await sandbox.commands.run('echo in')).stdout).toBe('in\n')
  })
})

test('a port that speaks TLS itself is reached where httpsPorts names it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-host-'))
  const { cert, key } = await (
    await openAuthority(join(folder, 'key'), join(folder, 'trust'))
  ).issue('localhost')
  await rm(folder, { recursive: true })
  const sandbox = await create({ network: { httpsPorts: [8443] } })
  await sandbox.files.write('certificate.pem', key + cert)
  await listen(sandbox, 8443, 'certificate.pem')
  expect((await shown({ headers: byHost(sandbox, 8443) })).method).toBe('GET')
})
