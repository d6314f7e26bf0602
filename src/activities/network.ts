import { runDurably } from './lib/durable-command.ts'
import type { Family } from './lib/operation.ts'

/** What leads into the sandbox and out of it. */
export const networkOperations = {
  /** `getHost`. Reads only. */
  'network.getHost': (use, { port, withToken }) =>
    use.sdk(async (sandbox) => {
      const host = sandbox.getHost(port)
      return {
        host,
        url: `https://${host}`,
        ...(withToken && sandbox.trafficAccessToken && { trafficAccessToken: sandbox.trafficAccessToken }),
      }
    }),

  /** `updateNetwork`. A second run sets the same rules. */
  'network.update': (use, { allowOut, denyOut, allowInternetAccess }) =>
    use.sdk((sandbox) =>
      sandbox.updateNetwork({
        ...(allowOut && { allowOut }),
        ...(denyOut && { denyOut }),
        ...(allowInternetAccess !== undefined && { allowInternetAccess }),
      }),
    ),

  /** Waits, in the sandbox, until something listens on the port. A second run goes on waiting. */
  'network.waitForPort': async (use, { port, timeoutMs }) => {
    const script = `until (exec 3<>"/dev/tcp/127.0.0.1/${port}") 2>/dev/null; do sleep 0.05; done`
    const { exitCode } = await runDurably(use.deps, use.command({ script, cwd: '.', timeoutMs }))
    return { open: exitCode === 0 }
  },

  /** `getMcpUrl` and `getMcpToken`. Reads only. */
  'network.getMcp': (use) =>
    use.sdk(async (sandbox) => {
      const token = await sandbox.getMcpToken()
      return { url: sandbox.getMcpUrl(), ...(token && { token }) }
    }),
} satisfies Family<'network'>
