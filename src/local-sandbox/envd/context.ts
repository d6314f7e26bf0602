import { join } from 'node:path'
import { Code, ConnectError } from '@connectrpc/connect'
import type { EnvdConfig } from './config.ts'

/** Base environment of every command; create's variables and the call's own come on top of it. */
export function baseEnvironment(config: EnvdConfig, proxyUrl: string): Record<string, string> {
  const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy']
  // Each replaces its tool's own roots: OpenSSL, curl, git, Python's requests.
  const bundles = ['SSL_CERT_FILE', 'CURL_CA_BUNDLE', 'GIT_SSL_CAINFO', 'REQUESTS_CA_BUNDLE']
  return {
    PATH: config.path,
    HOME: config.home,
    USER: config.user,
    LOGNAME: config.user,
    ...Object.fromEntries(proxies.map((name) => [name, proxyUrl])),
    NODE_EXTRA_CA_CERTS: join(config.trust, 'ca.crt'),
    ...Object.fromEntries(bundles.map((name) => [name, join(config.trust, 'roots.crt')])),
    ...config.envs,
  }
}

/** Why the given user can't be had, or undefined where it is the sandbox's own (or none was named). */
export function refuseUser(config: EnvdConfig, name: string | undefined): string | undefined {
  if (!name || name === config.user) return undefined
  if (name === 'root')
    return `user 'root' isn't available: this sandbox has a single user; use '${config.user}', or an image with the tools already installed`
  return `error looking up user '${name}': user: unknown user ${name}`
}

/** The user of an RPC's `Authorization: Basic base64("<user>:")` must be one there is. Throws `unauthenticated`. */
export function checkUser(config: EnvdConfig, headers: Headers): void {
  const encoded = /^Basic (\S+)$/i.exec(headers.get('authorization') ?? '')?.[1]
  const name = encoded ? Buffer.from(encoded, 'base64').toString().split(':')[0] : undefined
  const refusal = refuseUser(config, name)
  if (refusal) throw new ConnectError(refusal, Code.Unauthenticated)
}

/** Absolute paths as they are, `~` and relative ones from the home. Throws a plain Error for what no path can be. */
export function resolvePath(config: EnvdConfig, path: string): string {
  if (path.includes('\0')) throw new Error('path: has a NUL character')
  if (path === '' && config.workdir) return resolvePath(config, config.workdir)
  if (path === '' || path === '~') return config.home
  if (path.startsWith('~/')) return join(config.home, path.slice(2))
  if (path.startsWith('~')) throw new Error(`path '${path}': only ~/ is expanded; write the absolute path`)
  return join(path.startsWith('/') ? '/' : config.home, path).replace(/(.)\/$/, '$1')
}
