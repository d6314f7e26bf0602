import { subscribe } from 'node:diagnostics_channel'

/** For a rate limit that doesn't say how long it lasts. */
const DEFAULT_MS = 5_000

/** When the last rate limit ends, in ms since the epoch. */
let endsAt = 0

/**
 * E2B's SDK waits by itself for what is short, and keeps from us what `Retry-After` says of the rest. Its HTTP client tells every response
 * to whoever listens.
 */
subscribe('undici:request:headers', (message) => {
  const { response } = message as { response: { statusCode: number; headers: Buffer[] } }
  if (response.statusCode !== 429) return
  const words = response.headers.map(String)
  const at = words.findIndex((word, index) => index % 2 === 0 && word.toLowerCase() === 'retry-after')
  const seconds = at < 0 ? Number.NaN : Number(words[at + 1])
  endsAt = Date.now() + (seconds > 0 ? seconds * 1e3 : DEFAULT_MS)
})

/** How long to wait, in ms, after the SDK has thrown a `RateLimitError`. */
export const retryAfterMs = (): number => (endsAt > Date.now() ? endsAt - Date.now() : DEFAULT_MS)
