import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One run of a command, as it told the world outside. */
export interface Effect {
  job: string
  /** The command and its round. */
  command: string
  /** New for each run of it, so that a repeated request isn't a repeated run. */
  nonce: string
  sandboxId: string
  /** ms since the epoch. */
  at: number
}

/** The world outside: every command of every job tells it that it runs. */
export interface EffectCounter {
  port: number
  effects(): Effect[]
  stop(): Promise<void>
}

/** Counts on a free loopback port: `GET /job/command/nonce/sandboxId`. */
export async function startEffectCounter(): Promise<EffectCounter> {
  const seen = new Map<string, Effect>()
  const server = createServer((request, response) => {
    const [job = '', command = '', nonce = '', sandboxId = ''] = (request.url ?? '').slice(1).split('/')
    if (!seen.has(nonce)) seen.set(nonce, { job, command, nonce, sandboxId, at: Date.now() })
    response.end('counted\n')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    effects: () => [...seen.values()],
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
