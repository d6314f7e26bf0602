import { createClient, type Client } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { Sandbox } from 'e2b'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Process } from '../../src/local-sandbox/gen/process_pb.js'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

// What no method of the published client uses: tags, StreamInput, a keep-alive of one's own choice.

let server: SandboxServer
let client: Client<typeof Process>
beforeAll(async () => {
  server = await startSandboxServer()
  const { sandboxId } = await Sandbox.create({ ...server.connection, timeoutMs: 300_000 })
  const answer = await fetch(`${server.apiUrl}/sandboxes/${sandboxId}`, {
    headers: { 'x-api-key': server.apiKey },
  })
  const { envdAccessToken } = (await answer.json()) as { envdAccessToken: string }
  const transport = createConnectTransport({
    baseUrl: server.sandboxUrl,
    httpVersion: '1.1',
    useBinaryFormat: false,
    interceptors: [
      (next) => (request) => {
        request.header.set('e2b-sandbox-id', sandboxId)
        request.header.set('e2b-sandbox-port', '49983')
        request.header.set('x-access-token', envdAccessToken)
        return next(request)
      },
    ],
  })
  client = createClient(Process, transport)
})
afterAll(() => server.stop())

test('a process started with a tag is found by it, and its input can be streamed', async () => {
  const process = { cmd: '/bin/sh', args: ['-c', 'read a; read b; echo $b $a'] }
  const selector = { selector: { case: 'tag', value: 'mine' } } as const
  let output = ''
  let started: number | undefined
  let listed: object[] = []
  for await (const { event } of client.start({ process, tag: 'mine', stdin: true })) {
    if (event?.event.case === 'start') {
      listed = (await client.list({})).processes.map(({ tag, pid }) => ({ tag, pid }))
      started = event.event.value.pid
      await client.streamInput(lines(selector, ['one\n', 'two\n']))
    }
    if (event?.event.case === 'data') output += Buffer.from(event.event.value.output.value!).toString()
  }
  expect(output).toBe('two one\n')
  expect(listed).toEqual([{ tag: 'mine', pid: started }])
  await expect(client.sendSignal({ process: selector, signal: 15 })).rejects.toThrow(/not_found/)
})

test('a silent process has keep-alives as often as was asked for', async () => {
  const process = { cmd: '/bin/sh', args: ['-c', 'read a'] }
  const kinds: (string | undefined)[] = []
  const headers = { 'keepalive-ping-interval': '1' }
  let pid = 0
  for await (const { event } of client.start({ process, stdin: true }, { headers })) {
    kinds.push(event?.event.case)
    if (event?.event.case === 'start') pid = event.event.value.pid
    if (event?.event.case === 'keepalive')
      await client.closeStdin({ process: { selector: { case: 'pid', value: pid } } })
  }
  expect(kinds).toEqual(['start', 'keepalive', 'end'])
})

async function* lines(selector: { selector: { case: 'tag'; value: string } }, texts: string[]) {
  yield { event: { case: 'start', value: { process: selector } } } as const
  for (const text of texts)
    yield {
      event: { case: 'data', value: { input: { input: { case: 'stdin', value: Buffer.from(text) } } } },
    } as const
}
