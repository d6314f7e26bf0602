import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, constants, createSecureServer, type IncomingHttpHeaders } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAuthority } from '../../src/local-sandbox/egress/authority.ts'

export interface CloudFront {
  /** What Temporal's envconfig reads: address, API key, and whom to trust. */
  env: { TEMPORAL_ADDRESS: string; TEMPORAL_API_KEY: string; TEMPORAL_TLS_SERVER_CA_CERT_PATH: string }
  stop(): Promise<void>
}

/** A Temporal server as Temporal Cloud has it: by TLS, and for nobody without the API key. */
export async function startCloudFront(server: string): Promise<CloudFront> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-cloud-'))
  const authority = await openAuthority(join(folder, 'own'), join(folder, 'trusted'))
  const apiKey = `cloud-${randomUUID()}`
  const upstream = connect(`http://${server}`)
  const front = createSecureServer(await authority.issue('localhost'))
  front.on('stream', (stream, headers) => {
    stream.on('error', () => undefined)
    // What comes while all is ended.
    if (upstream.destroyed) {
      stream.close(constants.NGHTTP2_REFUSED_STREAM)
      return
    }
    if (headers.authorization !== `Bearer ${apiKey}`) {
      const unauthenticated = { 'content-type': 'application/grpc', 'grpc-status': '16' }
      stream.respond({ ':status': 200, ...unauthenticated }, { endStream: true })
      return
    }
    const request = upstream.request({ ...headers, ':scheme': 'http', ':authority': server })
    let trailers: IncomingHttpHeaders = {}
    stream.pipe(request)
    stream.on('close', () => request.close())
    request.on('error', () => stream.close(constants.NGHTTP2_INTERNAL_ERROR))
    request.on('trailers', (given) => (trailers = given))
    request.on('response', (response, flags) => {
      const endStream = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
      stream.respond(response, { endStream, waitForTrailers: !endStream })
      stream.on('wantTrailers', () => stream.sendTrailers(trailers))
      request.pipe(stream)
    })
  })
  await once(front.listen(0, '127.0.0.1'), 'listening')
  return {
    env: {
      TEMPORAL_ADDRESS: `localhost:${(front.address() as AddressInfo).port}`,
      TEMPORAL_API_KEY: apiKey,
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: join(folder, 'trusted', 'extra.crt'),
    },
    stop: async () => {
      upstream.destroy()
      front.close()
      await rm(folder, { recursive: true })
    },
  }
}
