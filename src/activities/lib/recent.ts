import type { Sandbox } from './e2b.ts'

/** For how long, in ms, a connection will do for what follows; less where the sandbox's timeout is short. */
const RECENT_MS = 10_000
/** How much of a sandbox's timeout may pass before it is extended again. */
const SHARE = 0.1

type Connect = (sandboxId: string, timeoutMs: number) => Promise<Sandbox>

/** Connections of this process, as one more call to E2B before every other is what most operations don't need. */
export function recentConnections(call: Connect, now: () => number = Date.now) {
  const all = new Map<string, { sandbox: Promise<Sandbox>; timeoutMs: number; until: number }>()

  const anew: Connect = (sandboxId, timeoutMs) => {
    const sandbox = call(sandboxId, timeoutMs)
    const made = { sandbox, timeoutMs, until: now() + Math.min(RECENT_MS, timeoutMs * SHARE) }
    for (const [id, { until }] of all) if (until <= now()) all.delete(id)
    all.set(sandboxId, made)
    sandbox.catch(() => {
      if (all.get(sandboxId) === made) all.delete(sandboxId)
    })
    return sandbox
  }

  return {
    /** @param recent whether it will do that this was done a moment ago, or is under way */
    connect(sandboxId: string, timeoutMs: number, recent = false): Promise<Sandbox> {
      const made = recent ? all.get(sandboxId) : undefined
      const good = made && made.timeoutMs >= timeoutMs && now() < made.until
      return good ? made.sandbox : anew(sandboxId, timeoutMs)
    },
    /** After what may have paused or killed it, or made its time shorter. */
    forget: (sandboxId: string): void => void all.delete(sandboxId),
  }
}
