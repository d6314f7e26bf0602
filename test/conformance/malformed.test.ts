import { Sandbox } from 'e2b'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

let server: SandboxServer
let sandbox: Sandbox
beforeAll(async () => {
  server = await startSandboxServer()
  sandbox = await Sandbox.create(server.connection)
})
afterAll(() => server.stop())

const body = fc.oneof(
  fc.json(),
  fc.string(),
  fc.constant('{'),
  fc.constant('\u0000'),
  fc
    .record(
      {
        templateID: fc.jsonValue(),
        timeout: fc.jsonValue(),
        metadata: fc.jsonValue(),
        envVars: fc.jsonValue(),
        network: fc.oneof(fc.jsonValue(), fc.record({ allowOut: fc.jsonValue(), rules: fc.jsonValue() })),
        autoPause: fc.jsonValue(),
        count: fc.jsonValue(),
      },
      { requiredKeys: [] },
    )
    .map((value) => JSON.stringify(value)),
)
const query = fc.oneof(
  fc.constant(''),
  fc
    .dictionary(
      fc.constantFrom('limit', 'nextToken', 'state', 'metadata', 'order', 'start', 'cursor'),
      fc.string(),
    )
    .map((words) => `?${new URLSearchParams(words).toString()}`),
)

const control = fc.record({
  call: fc.constantFrom<[string, string][]>(
    ['POST', '/v2/sandboxes'],
    ['POST', '/sandboxes'],
    ['GET', '/v2/sandboxes'],
    ['GET', '/sandboxes/:id/metrics'],
    ['GET', '/v2/sandboxes/:id/logs'],
    ['GET', '/sandboxes/:id/logs'],
    ['POST', '/sandboxes/:id/resume'],
    ['GET', '/templates/aliases/%00'],
    ['GET', '/v2/templates'],
    ['DELETE', '/templates/..%2F..%2Frecords'],
    ['DELETE', '/sandboxes/%2e%2e%2frecords'],
    ['POST', '/sandboxes/:id/timeout'],
    ['POST', '/sandboxes/:id/refreshes'],
    ['PUT', '/sandboxes/:id/network'],
    ['POST', '/v2/sandboxes/:id/connect'],
    ['POST', '/sandboxes/:id/fork'],
    ['POST', '/sandboxes/none/pause'],
    ['GET', '/snapshots'],
    ['POST', '/v3/templates'],
    ['POST', '/templates/tags'],
    ['PATCH', '/nowhere'],
  ),
  body,
  query,
})

test('whatever is sent to the control API gets an answer, and a mistake of the client is called one', async () => {
  // It may well be told to end in a moment.
  const { sandboxId } = await Sandbox.create(server.connection)
  await fc.assert(
    fc.asyncProperty(control, async ({ call: [method, path], body, query }) => {
      const url = server.apiUrl + path.replace(':id', sandboxId) + query
      const headers = { 'x-api-key': server.apiKey, 'content-type': 'application/json' }
      const answer = await fetch(url, { method, headers, ...(method === 'GET' ? {} : { body }) })
      expect(answer.status).toBeLessThan(500)
      const text = await answer.text()
      const { code, message } = answer.ok ? { code: answer.status, message: '' } : JSON.parse(text)
      expect(code).toBe(answer.status)
      expect(message).toBeTypeOf('string')
    }),
    { numRuns: 200 },
  )
  expect((await Sandbox.list(server.connection).nextItems()).length).toBeGreaterThan(0)
})

const RPC_ERRORS = new Set<unknown>(['internal', 'unimplemented', 507])

const inside = fc.record({
  path: fc.constantFrom(
    '/process.Process/Start',
    '/process.Process/Connect',
    '/process.Process/SendInput',
    '/process.Process/List',
    '/process.Process/SendSignal',
    '/process.Process/StreamInput',
    '/process.Process/Update',
    '/process.Process/CloseStdin',
    '/filesystem.Filesystem/Stat',
    '/filesystem.Filesystem/ListDir',
    '/filesystem.Filesystem/WatchDir',
    '/filesystem.Filesystem/Move',
    '/filesystem.Filesystem/MakeDir',
    '/filesystem.Filesystem/CreateWatcher',
    '/filesystem.Filesystem/GetWatcherEvents',
    '/files?path=x',
    '/files?path=%00',
    '/files/compose',
  ),
  type: fc.constantFrom(
    'application/json',
    'application/connect+json',
    'application/proto',
    'multipart/form-data; boundary=x',
    'application/octet-stream',
    'text/plain',
  ),
  encoding: fc.constantFrom(undefined, 'gzip', 'br', 'nonsense'),
  user: fc.oneof(fc.constant('user'), fc.string()),
  body: fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    body.map((text) => new TextEncoder().encode(text)),
    fc.jsonValue().map((value) => envelope(JSON.stringify(value))),
  ),
})

test('whatever is sent to envd gets an answer, and the sandbox goes on', async () => {
  await fc.assert(
    fc.asyncProperty(inside, async ({ path, type, encoding, user, body }) => {
      const answer = await fetch(server.apiUrl + path, {
        method: 'POST',
        headers: {
          'e2b-sandbox-id': sandbox.sandboxId,
          'e2b-sandbox-port': '49983',
          'x-access-token': await accessToken(),
          'content-type': type,
          'connect-protocol-version': '1',
          authorization: `Basic ${Buffer.from(`${user}:`).toString('base64')}`,
          ...(encoding && { 'content-encoding': encoding }),
        },
        body: Buffer.from(body),
        signal: AbortSignal.timeout(5_000),
      })
      // Connect's own library calls what it can't decode an internal error, in its own words.
      const refused = answer.status < 500 || RPC_ERRORS.has(((await answer.json()) as { code: string }).code)
      expect(refused).toBe(true)
      if (!answer.bodyUsed) await answer.body?.cancel()
    }),
    { numRuns: 200 },
  )
  expect((await sandbox.commands.run('echo fine')).stdout).toBe('fine\n')
})

let token: string | undefined
async function accessToken(): Promise<string> {
  if (token) return token
  const headers = { 'x-api-key': server.apiKey }
  const answer = await fetch(`${server.apiUrl}/sandboxes/${sandbox.sandboxId}`, { headers })
  return (token = ((await answer.json()) as { envdAccessToken: string }).envdAccessToken)
}

/** A message of a Connect stream: flags, length, text. */
function envelope(text: string): Uint8Array {
  const message = Buffer.from(text)
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}
