import type { HandlerContext } from '@connectrpc/connect'

const defaultSeconds = 90

/** How long a stream may be silent, in milliseconds, as the client's `keepalive-ping-interval` (seconds) asks for. */
export function keepAliveInterval({ requestHeader }: HandlerContext): number {
  const seconds = Number(requestHeader.get('keepalive-ping-interval'))
  return 1000 * (seconds > 0 ? seconds : defaultSeconds)
}
