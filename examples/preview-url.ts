/**
 * A dev server in a sandbox, with a public URL; paused it costs nothing, and comes back as it was.
 *
 *   npx tsx examples/preview-url.ts
 *
 * On the E2B cloud the URL is reached by its own name. A local sandbox server (`npx holdfast up`) has no such names: set E2B_SANDBOX_URL to its
 * address, and the name goes in the Host header.
 */
import { once } from 'node:events'
import { request as http, type IncomingMessage } from 'node:http'
import { request as https } from 'node:https'
import { text } from 'node:stream/consumers'
import { connect } from 'holdfast'

const PORT = 3000
const SERVER = `
import http.server
visits = 0
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global visits
        visits += 1
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"visit {visits}".encode())
http.server.HTTPServer(("", ${PORT}), Page).serve_forever()
`

const jobs = await connect()
try {
  const session = await jobs.sessions.open('example-preview', { idleTimeout: '10m' })
  await session.files.write('server.py', SERVER)
  await session.commands.start('python3 server.py')
  if (!(await session.network.waitForPort(PORT))) throw new Error('the server did not start')
  const { host } = await session.network.getHost(PORT)
  console.log(await get(host))

  await session.pause()
  // Traffic does not wake a paused sandbox: whoever opens the link meanwhile costs nothing.
  console.log(`while paused: ${(await get(host)).split(' ')[0]}`)

  await session.resume()
  console.log(await get(host))
  await session.close()
} finally {
  await jobs.close()
}

/** What the sandbox answers at that public host. */
async function get(host: string): Promise<string> {
  const local = process.env.E2B_SANDBOX_URL
  const call = local ? http(local, { headers: { host } }) : https(`https://${host}/`)
  call.end()
  const [answer] = (await once(call, 'response')) as [IncomingMessage]
  return `${answer.statusCode} ${await text(answer)}`
}
