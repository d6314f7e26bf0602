import { once } from 'node:events'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { Sandbox } from 'e2b'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

// On this host: answers each request with what its path says.
let odd: Server
let server: SandboxServer
let sandbox: Sandbox
beforeAll(async () => {
  odd = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (request) => {
      const [, path = ''] = /^GET \/(\S*)/.exec(String(request)) ?? []
      socket.end(decodeURIComponent(path))
    })
  }).listen(0, '127.0.0.1')
  await once(odd, 'listening')
  server = await startSandboxServer({ args: ['--allow-host-loopback', `127.0.0.1:${oddPort()}`] })
  sandbox = await Sandbox.create({ ...server.connection, timeoutMs: 300_000 })
  await sandbox.files.write('odd.py', ODD)
  await new Promise<string>((resolve, reject) => {
    const options = { background: true, timeoutMs: 0, onStdout: resolve } as const
    sandbox.commands.run('python3 odd.py', options).catch(reject)
  })
})
afterAll(async () => {
  await server.stop()
  odd.close()
})

const oddPort = () => (odd.address() as AddressInfo).port

/** The same as `odd`, in the sandbox. */
const ODD = `import socket, urllib.parse
s = socket.create_server(('', 8000))
print('listens', flush=True)
while True:
    c, _ = s.accept()
    path = c.recv(10 ** 6).decode().partition(' /')[2].partition(' ')[0]
    c.sendall(urllib.parse.unquote(path).encode())
    c.close()`

const pathOf = (answer: string) => encodeURIComponent(answer)

/** What came back, and the status. */
async function throughPort(path: string): Promise<string> {
  const headers = { 'e2b-sandbox-id': sandbox.sandboxId, 'e2b-sandbox-port': '8000' }
  const answer = await fetch(`${server.sandboxUrl}/${path}`, { headers })
  return `${await answer.text()} ${answer.status}`
}

const curl = async (base: string, path: string) =>
  (await sandbox.commands.run(`curl -s -x "$HTTP_PROXY" -w ' %{http_code}' '${base}/${path}'`)).stdout

const ways: [string, (path: string) => Promise<string>][] = [
  ['a program in the sandbox, asked from outside', throughPort],
  ['a web server outside, asked from inside', (path) => curl(`http://127.0.0.1:${oddPort()}`, path)],
  ['a program in the sandbox, asked through its proxy', (path) => curl('http://localhost:8000', path)],
]

describe.each(ways)('an answer of %s', (_name, ask) => {
  test.each([
    ['a status below 100', 'HTTP/1.1 099 odd\r\n\r\nbody'],
    ['a status below 100 and no body', 'HTTP/1.1 000 odd\r\nContent-Length: 0\r\n\r\n'],
    ['a control character in its reason', 'HTTP/1.1 200 o\u0001dd\r\nContent-Length: 4\r\n\r\nbody'],
    ['a control character in its reason and no body', 'HTTP/1.1 204 o\u007fdd\r\n\r\n'],
    ['no form at all', 'odd\r\n\r\n'],
  ])('with %s is a 502, and the next one is passed on', async (_name, answer) => {
    expect(await ask(pathOf(answer))).toMatch(/ 502$/)
    expect(await ask(pathOf('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood'))).toBe('good 200')
  })

  test('that names trailers and has none is passed on', async () => {
    const answer = 'HTTP/1.1 200 OK\r\nTrailer: Sum\r\nContent-Length: 4\r\n\r\ngood'
    expect(await ask(pathOf(answer))).toBe('good 200')
  })
})
