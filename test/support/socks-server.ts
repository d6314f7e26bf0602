import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A SOCKS5 proxy of this host that wants `user` and `password`. It takes every name for this host's loopback. */
export async function startSocksServer(user: string, password: string) {
  const asked: string[] = []
  const server = createServer((client) => {
    client.on('error', () => client.destroy())
    void serve(client, user, password, asked)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, asked, stop: () => void server.close() }
}

async function serve(client: Socket, user: string, password: string, asked: string[]): Promise<void> {
  const next = async () => ((await once(client, 'data')) as [Buffer])[0]
  await next()
  client.write(Buffer.from([5, 2]))
  const credentials = await next()
  const good =
    credentials.subarray(2).toString() === `${user}${String.fromCharCode(password.length)}${password}`
  client.write(Buffer.from([1, good ? 0 : 1]))
  if (!good) return void client.end()
  const request = await next()
  const isName = request[3] === 3
  const host = isName ? request.subarray(5, 5 + request[4]!).toString() : request.subarray(4, 8).join('.')
  const port = request.readUInt16BE(request.length - 2)
  asked.push(`${host}:${port}`)
  const upstream = connect(port, '127.0.0.1')
  upstream.on('error', () => client.destroy()).once('close', () => client.destroy())
  client.once('close', () => upstream.destroy())
  await once(upstream, 'connect')
  client.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
  client.pipe(upstream).pipe(client)
}
