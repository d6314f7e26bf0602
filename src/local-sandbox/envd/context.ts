import { join } from 'node:path'
import { Code, ConnectError } from '@connectrpc/connect'
import { findAccount, type Account } from './account.ts'
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
    NODE_EXTRA_CA_CERTS: join(config.trust, 'extra.crt'),
    ...Object.fromEntries(bundles.map((name) => [name, join(config.trust, 'roots.crt')])),
    ...config.envs,
  }
}

/** The environment of an account's commands: the base one, with the account's own words for itself. */
export function environmentOf(
  { name, home }: Account,
  environment: Record<string, string>,
  { user, envs }: EnvdConfig,
): Record<string, string> {
  return name === user ? environment : { ...environment, HOME: home, USER: name, LOGNAME: name, ...envs }
}

/** The account that an RPC's `Authorization: Basic base64("<user>:")` names. Throws `unauthenticated`. */
export async function accountOf(config: EnvdConfig, headers: Headers): Promise<Account> {
  const encoded = /^Basic (\S+)$/i.exec(headers.get('authorization') ?? '')?.[1]
  const name = encoded ? Buffer.from(encoded, 'base64').toString().split(':')[0] : undefined
  return findAccount(config, name).catch((error: Error) => {
    throw new ConnectError(error.message, Code.Unauthenticated)
  })
}

/** Absolute paths as they are, `~` and relative ones from the home. Throws a plain Error for what no path can be. */
export function resolvePath({ workdir }: EnvdConfig, { home }: Account, path: string): string {
  if (path.includes('\0')) throw new Error('path: has a NUL character')
  const wanted = path || workdir || '~'
  if (wanted === '~') return home
  if (wanted.startsWith('~/')) return join(home, wanted.slice(2))
  if (wanted.startsWith('~'))
    throw new Error(`path '${wanted}': only ~/ is expanded; write the absolute path`)
  return join(wanted.startsWith('/') ? '/' : home, wanted).replace(/(.)\/$/, '$1')
}
