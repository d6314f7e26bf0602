import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import type { Authority } from '../../src/local-sandbox/egress/authority.ts'

/** TLS as `localhost`, with a certificate by `authority`, in front of a plain port of this host. */
export async function startTlsFront(authority: Authority, port: number) {
  const server = createServer(await authority.issue('localhost'), (client) => {
    const upstream = connect(port, '127.0.0.1')
    client.on('error', () => upstream.destroy()).once('close', () => upstream.destroy())
    upstream.on('error', () => client.destroy()).once('close', () => client.destroy())
    client.pipe(upstream).pipe(client)
  })
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, stop: () => void server.close() }
}
