import type { E2BConfig, SandboxInfo } from './e2b.ts'

/** E2B's own, where neither the sandbox nor the configuration names one. */
const DOMAIN = 'e2b.app'

/**
 * Where a port of a sandbox is reached from outside: what E2B's `getHost` names; of a server on this machine its own
 * address, as browsers take every name below `localhost` for it.
 */
export function publicUrl(
  { sandboxUrl, domain = DOMAIN }: Pick<E2BConfig, 'sandboxUrl' | 'domain'>,
  { sandboxId, sandboxDomain = domain }: Pick<SandboxInfo, 'sandboxId' | 'sandboxDomain'>,
  port: number,
): string {
  const name = `${port}-${sandboxId}`
  const local = sandboxUrl === undefined ? undefined : new URL(sandboxUrl)
  return local && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(local.hostname)
    ? `${local.protocol}//${name}.localhost${local.port && `:${local.port}`}/`
    : `https://${name}.${sandboxDomain}/`
}
