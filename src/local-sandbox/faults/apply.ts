import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import { sendJson } from '../http.ts'
import { setTimeout as delay } from 'node:timers/promises'
import type { Destination } from '../proxy/classify.ts'
import type { Registry } from '../sandboxes/registry.ts'
import type { ArmedFault, ArmedFaults } from './armed.ts'
import type { Occasion } from './fault.ts'
import { faultsPath } from './routes.ts'

/** A request with what goes wrong with it; `answer` does it as it should be done. */
export async function withFaults(
  { faults, registry, log }: { faults: ArmedFaults; registry: Registry; log: Logger },
  destination: Destination,
  request: IncomingMessage,
  response: ServerResponse,
  answer: () => unknown,
): Promise<void> {
  const occasion = requestOccasion(destination, request)
  if (occasion.path === faultsPath) return void answer()
  for (const armed of faults.take(occasion)) {
    log.warn({ fault: armed.fault.kind, method: occasion.method, path: occasion.path }, 'fault fires')
    if (armed.fault.kind === 'latency') await held(armed.fault.ms, armed.disarmed)
    else if (await apply(armed, registry, occasion.sandboxId, request, response)) return
  }
  answer()
}

async function held(ms: number, disarmed: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal: disarmed }).catch(() => undefined)
}

/** Does what a fault does; true where the request ends with it. */
async function apply(
  { fault, until }: ArmedFault,
  registry: Registry,
  sandboxId: string | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const { socket } = request
  switch (fault.kind) {
    case 'answer':
      if (fault.retryAfter !== undefined) response.setHeader('retry-after', fault.retryAfter)
      sendJson(response, fault.status, { code: fault.status, message: 'this is a fault on demand' })
      return true
    case 'unreachable':
      if (fault.how === 'reset') socket.resetAndDestroy()
      else after(until - Date.now(), response, () => socket.resetAndDestroy())
      return true
    case 'loseReply':
      response.writeHead = () => {
        socket.resetAndDestroy()
        return response
      }
      return false
    case 'cutStream':
      if (fault.afterMs !== undefined) after(fault.afterMs, response, () => socket.resetAndDestroy())
      if (fault.afterBytes !== undefined) cutAfter(fault.afterBytes, request, response)
      return false
    case 'killSandbox': {
      const kill = () =>
        registry
          .find(sandboxId ?? '')
          ?.kill()
          .catch(() => undefined)
      if (fault.afterMs === undefined) await kill()
      else setTimeout(() => void kill(), fault.afterMs).unref()
      return false
    }
    case 'latency':
    case 'loseFiles':
      return false
  }
}

function requestOccasion(
  destination: Destination,
  request: IncomingMessage,
): Extract<Occasion, { kind: 'request' }> {
  const [path = ''] = (request.url ?? '/').split('?')
  const control = destination.kind === 'control' || destination.kind === 'bad'
  const sandboxId =
    destination.kind === 'sandbox' ? destination.sandboxId : /\/sandboxes\/([a-z0-9]+)/.exec(path)?.[1]
  return {
    kind: 'request',
    to: control ? 'control' : 'sandbox',
    method: request.method ?? '',
    path,
    sandboxId,
  }
}

/** Runs `task` after `ms`, unless the answer has ended by then. */
function after(ms: number, response: ServerResponse, task: () => void): void {
  if (ms === Infinity) return
  const timer = setTimeout(task, Math.max(ms, 0))
  response.once('close', () => clearTimeout(timer))
}

/** Lets so many bytes of the body through, and then resets the connection. */
function cutAfter(bytes: number, request: IncomingMessage, response: ServerResponse): void {
  let left = bytes
  const write = response.write.bind(response) as (chunk: Uint8Array, sent: () => void) => boolean
  const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse
  const pass = (chunk: unknown): boolean => {
    const data = Buffer.from(chunk as Uint8Array | string)
    const part = data.subarray(0, Math.max(left, 0))
    left -= data.length
    const cut = left < 0
    return write(part, () => cut && request.socket.resetAndDestroy())
  }
  response.write = pass as typeof response.write
  response.end = ((...args: unknown[]) => {
    if (args[0] === undefined || typeof args[0] === 'function') return end(...args)
    pass(args[0])
    return left < 0 ? response : end()
  }) as typeof response.end
}
