import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { Sandbox } from 'e2b'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

// On this host, for all its addresses: what must not be reached, and a door that is open and leads there by a redirect.
let secret: Server
let door: Server
let server: SandboxServer
let sandbox: Sandbox

beforeAll(async () => {
  secret = createServer((_request, response) => response.end('host secret')).listen(0)
  door = createServer((_request, response) =>
    response.writeHead(302, { location: `http://127.0.0.1:${portOf(secret)}/` }).end(),
  ).listen(0, '127.0.0.1')
  await Promise.all([once(secret, 'listening'), once(door, 'listening')])
  server = await startSandboxServer({ args: ['--allow-host-loopback', `127.0.0.1:${portOf(door)}`] })
  sandbox = await Sandbox.create({ ...server.connection, timeoutMs: 120_000 })
})
afterAll(async () => {
  await server.stop()
  secret.close()
  door.close()
})

const portOf = (of: Server) => (of.address() as AddressInfo).port
const python = async (lines: string[]) => {
  await sandbox.files.write('attempt.py', lines.join('\n'))
  return (await sandbox.commands.run('python3 attempt.py 2>&1 || true')).stdout
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

describe('a socket of its own', () => {
  test.each([
    ['TCP over IPv4', 'AF_INET', 'SOCK_STREAM', '192.0.2.1'],
    ['TCP over IPv6', 'AF_INET6', 'SOCK_STREAM', '2001:db8::1'],
    ['the metadata service', 'AF_INET', 'SOCK_STREAM', '169.254.169.254'],
    ['UDP', 'AF_INET', 'SOCK_DGRAM', '192.0.2.1'],
    ['UDP over IPv6', 'AF_INET6', 'SOCK_DGRAM', '2001:db8::1'],
    ['a raw socket', 'AF_INET', 'SOCK_RAW', '192.0.2.1'],
    ['multicast', 'AF_INET', 'SOCK_DGRAM', '224.0.0.251'],
  ])('finds no way: %s', async (_name, family, kind, address) => {
    const output = await python([
      'import socket',
      `s = socket.socket(socket.${family}, socket.${kind}${kind === 'SOCK_RAW' ? ', socket.IPPROTO_ICMP' : ''}); s.settimeout(5)`,
      `s.connect(('${address}', 53)); s.send(b'x')`,
    ])
    expect(output).toMatch(/unreachable|not permitted|cannot assign|not supported/i)
  })

  test('finds no packet socket, and no name server', async () => {
    expect(await python(['import socket', 'socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'])).toMatch(
      /not permitted/,
    )
    const { stdout } = await sandbox.commands.run('getent hosts example.com; echo $?')
    expect(stdout).toBe('2\n')
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
