// Runs in a sandbox: an HTTP server on the port given that shows what it was sent. Run through node, so plain JavaScript.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'

const [port, certificate] = process.argv.slice(2)
const tls = certificate === undefined ? undefined : readFileSync(certificate)

const answer = (request, response) => {
  if (request.url === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    return response.write('data: first\n\n')
  }
  if (request.url === '/next') {
    for (const open of streams) open.write('data: second\n\n')
    return response.end()
  }
  let bytes = 0
  const hash = createHash('sha256')
  request.on('data', (chunk) => {
    bytes += chunk.length
    hash.update(chunk)
  })
  request.on('end', () => {
    const { method, url, rawHeaders } = request
    response.writeHead(200, { 'X-Mixed-Case': 'yes' })
    response.end(JSON.stringify({ method, url, rawHeaders, bytes, sha256: hash.digest('hex') }))
  })
}

const streams = new Set()
const server = tls ? createTlsServer({ key: tls, cert: tls }) : createServer()
server.on('request', (request, response) => {
  if (request.url === '/events') streams.add(response)
  answer(request, response)
})
server.on('upgrade', (request, socket, head) => {
  const accept = createHash('sha1')
    .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64')
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nX-Host: ${request.headers.host}\r\nX-Token: ${request.rawHeaders.includes('E2B-Traffic-Access-Token')}\r\n\r\n`,
  )
  socket.write(head)
  socket.pipe(socket)
})
server.listen(Number(port), () => console.log('listening'))
