import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Payload } from '@temporalio/common'
import { lazyBlobStore } from './blobs/open.ts'
import { keysOfClient } from './client/keys.ts'
import { ConfigError } from './config.ts'
import { redeemed } from './payloads/claim-check.ts'
import { codecServer } from './payloads/codec-server.ts'
import { EncryptionCodec } from './payloads/encryption.ts'
import { interruption, untilAborted } from './stack/interrupt.ts'

const MIN_TOKEN = 16

/**
 * Runs a codec server until SIGTERM or SIGINT, with the keys, `HOLDFAST_CODEC_TOKEN` and `HOLDFAST_BLOB_STORE` of the environment.
 *
 * @param options.port 0 takes a free one
 * @throws ConfigError, HoldfastError `PayloadKeysInvalid`
 */
export async function runCodecServer(
  { host, port, origins }: { host: string; port: number; origins: string[] },
  onReady: (url: string) => void,
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const token = env.HOLDFAST_CODEC_TOKEN ?? ''
  if (token.length < MIN_TOKEN)
    throw new ConfigError(
      `HOLDFAST_CODEC_TOKEN: has ${token.length} characters instead of at least ${MIN_TOKEN}: make one with openssl rand -hex 32`,
    )
  const codec = new EncryptionCodec(keysOfClient(undefined, env))
  const encode = codec.encode.bind(codec)
  const url = env.HOLDFAST_BLOB_STORE
  const blobs = url ? lazyBlobStore(url) : undefined
  const decode = async (payloads: Payload[]): Promise<Payload[]> =>
    codec.decode(await Promise.all(payloads.map((payload) => redeemed(payload, blobs))))
  const stop = interruption(() => undefined)
  const server = codecServer({ token, origins, encode, decode })
  try {
    await once(server.listen(port, host), 'listening')
  } catch (error) {
    throw new ConfigError(`can't listen on ${host}:${port}: ${(error as Error).message}`)
  }
  const { address, family, port: taken } = server.address() as AddressInfo
  onReady(`http://${family === 'IPv6' ? `[${address}]` : address}:${taken}`)
  await untilAborted(stop)
  server.closeAllConnections()
  server.close()
}
