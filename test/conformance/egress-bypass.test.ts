import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { ALL_TRAFFIC, Sandbox } from 'e2b'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

// On this host, for all its addresses: what must not be reached, and a door that is open and leads there by a redirect.
let secret: Server
let door: Server
let server: SandboxServer
let sandbox: Sandbox
/** Whether there is one in sandboxes. */
let root: boolean

beforeAll(async () => {
  secret = createServer((_request, response) => response.end('host secret')).listen(0)
  door = createServer((_request, response) =>
    response.writeHead(302, { location: `http://127.0.0.1:${portOf(secret)}/` }).end(),
  ).listen(0, '127.0.0.1')
  await Promise.all([once(secret, 'listening'), once(door, 'listening')])
  server = await startSandboxServer({ args: ['--allow-host-loopback', `127.0.0.1:${portOf(door)}`] })
  root = ((await (await fetch(`${server.apiUrl}/health`)).json()) as { root: boolean }).root
  sandbox = await Sandbox.create({ ...server.connection, timeoutMs: 300_000 })
})
afterAll(async () => {
  await server.stop()
  secret.close()
  door.close()
})

const portOf = (of: Server) => (of.address() as AddressInfo).port
const python = async (lines: string[], user = 'user') => {
  await sandbox.files.write('/tmp/attempt.py', lines.join('\n'))
  return (await sandbox.commands.run('python3 /tmp/attempt.py 2>&1 || true', { user })).stdout
}
/** What the egress socket answers to these bytes, with nothing of ours in between. */
const raw = (bytes: string) =>
  python([
    'import socket',
    's = socket.socket(socket.AF_UNIX); s.settimeout(10)',
    "s.connect('/run/holdfast/egress/egress.sock')",
    `s.sendall(${JSON.stringify(bytes)}.encode())`,
    'print(s.recv(4000).decode())',
  ])

describe.each(['user', 'root'])('a socket of its own, as %s', (user) => {
  beforeEach(({ skip }) =>
    skip(user === 'root' && !root, 'this machine gives sandboxes no users of their own'),
  )

  test.each([
    ['TCP over IPv4', 'AF_INET', 'SOCK_STREAM', '192.0.2.1'],
    ['TCP over IPv6', 'AF_INET6', 'SOCK_STREAM', '2001:db8::1'],
    ['the metadata service', 'AF_INET', 'SOCK_STREAM', '169.254.169.254'],
    ['UDP', 'AF_INET', 'SOCK_DGRAM', '192.0.2.1'],
    ['a name server', 'AF_INET', 'SOCK_DGRAM', '8.8.8.8'],
    ['UDP over IPv6', 'AF_INET6', 'SOCK_DGRAM', '2001:db8::1'],
    ['a raw socket', 'AF_INET', 'SOCK_RAW', '192.0.2.1'],
    ['multicast', 'AF_INET', 'SOCK_DGRAM', '224.0.0.251'],
  ])('finds no way: %s', async (_name, family, kind, address) => {
    const output = await python(
      [
        'import socket',
        `s = socket.socket(socket.${family}, socket.${kind}${kind === 'SOCK_RAW' ? ', socket.IPPROTO_ICMP' : ''}); s.settimeout(5)`,
        `s.connect(('${address}', 53)); s.send(b'x')`,
      ],
      user,
    )
    expect(output).toMatch(/unreachable|not permitted|cannot assign|not supported/i)
  })

  test('finds no packet socket, and no name server', async () => {
    expect(await python(['import socket', 'socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'], user)).toMatch(
      /not permitted/,
    )
    const { stdout } = await sandbox.commands.run('getent hosts example.com; echo $?', { user })
    expect(stdout).toBe('2\n')
  })

  // By the kernel's own messages, since a base system need not have \`ip\`: header, then what it is about.
  test.each([
    ['a route', 24, 'struct.pack("BBBBBBBBI", 2, 0, 0, 0, 254, 3, 253, 1, 0) + struct.pack("HHI", 8, 4, 1)'],
    ['an interface', 16, 'bytes(16) + struct.pack("HH", 16, 18) + struct.pack("HH6s2x", 10, 1, b"dummy\\0")'],
    [
      'an address',
      20,
      'struct.pack("BBBBI", 2, 24, 0, 0, 1) + struct.pack("HH4s", 8, 2, bytes([192, 0, 2, 9])) + struct.pack("HH4s", 8, 1, bytes([192, 0, 2, 9]))',
    ],
  ])('can be given no way: %s', async (_name, type, body) => {
    const output = await python(
      [
        'import socket, struct, os',
        's = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)',
        `body = ${body}`,
        // NLM_F_REQUEST, ACK, EXCL, CREATE.
        `s.sendall(struct.pack("IHHII", 16 + len(body), ${type}, 0x605, 1, 0) + body)`,
        'kind, = struct.unpack_from("H", answer := s.recv(4000), 4)',
        'error, = struct.unpack_from("i", answer, 16)',
        'print(kind, os.strerror(-error))',
      ],
      user,
    )
    expect(output).toBe('2 Operation not permitted\n')
  })
})

const ownAddress = Object.values(networkInterfaces())
  .flat()
  .find((all) => all?.family === 'IPv4' && !all.internal)?.address

const forms = [
  '127.0.0.1 127.1 0x7f.1 0177.0.0.1 2130706433 0.0.0.0 localhost LOCALHOST 169.254.169.254',
  '[::1] [::] [::ffff:127.0.0.1] [::ffff:7f00:1] [64:ff9b::7f00:1] [fe80::1%lo]',
  ownAddress ?? '127.0.0.2',
].flatMap((line) => line.split(' '))

describe('the egress socket', () => {
  test.each(forms)('refuses CONNECT and plain requests to %s', async (host) => {
    const at = `${host}:${portOf(secret)}`
    expect(await raw(`CONNECT ${at} HTTP/1.1\r\nHost: ${at}\r\n\r\n`)).toMatch(/^HTTP\/1.1 40[03] /)
    const answer = await raw(`GET http://${at}/ HTTP/1.1\r\nHost: example.com\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1.1 40[03] /)
  })

  test.each([
    ['no port', '127.0.0.1'],
    ['a user', `user@127.0.0.1`],
    ['a path', `http://127.0.0.1:80/`],
    ['letters beyond ASCII', '１２７.0.0.1:80'],
  ])('refuses CONNECT with %s', async (_name, authority) => {
    expect(await raw(`CONNECT ${authority} HTTP/1.1\r\nHost: x\r\n\r\n`)).not.toMatch(/ 200 /)
  })

  test('leads to no name server and to no port of it where only one host is allowed', async () => {
    const narrow = await Sandbox.create({
      ...server.connection,
      network: { allowOut: ['example.com'], denyOut: [ALL_TRAFFIC] },
    })
    for (const at of ['8.8.8.8:53', '8.8.8.8:853', 'dns.google:443', '[2001:4860:4860::8888]:53']) {
      const { stdout } = await narrow.commands.run(
        `curl -s -o /dev/null -w '%{http_connect}' --proxytunnel -x "$HTTP_PROXY" http://${at}/ || true`,
      )
      expect({ at, stdout }).toEqual({ at, stdout: '403' })
    }
    await narrow.kill()
  })

  test('does not follow an open door to what is closed', async () => {
    const { stdout } = await sandbox.commands.run(`curl -sSL http://127.0.0.1:${portOf(door)}/`)
    expect(stdout).toContain('is an address of this host')
  })

  test('takes no word of Host for the host', async () => {
    const at = `127.0.0.1:${portOf(secret)}`
    const answer = await raw(`GET http://${at}/ HTTP/1.1\r\nHost: 127.0.0.1:${portOf(door)}\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1.1 403 /)
  })
})
