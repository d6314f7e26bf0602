import { stat } from 'node:fs/promises'
import { once } from 'node:events'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Tokens, accessOf } from './access.ts'
import { runBackend } from './backend.ts'
import { isRepositoryName, routeOf } from './route.ts'

export interface GitHostOptions extends Tokens {
  /** Folder of the bare repositories: `acme/web` is `<root>/acme/web.git`. */
  root: string
  /** Loopback port; a free one if left out. */
  port?: number
}

export interface GitHost {
  /** `http://localhost:PORT` */
  url: string
  port: number
  /** Clone URL of a repository, without credentials. */
  repoUrl: (name: string) => string
  /** Closes all connections and ends the git processes that serve them. */
  stop: () => Promise<void>
}

/**
 * Serves bare repositories by git's smart HTTP protocol on loopback. Missing or wrong token: 401; a push with the
 * read-only token: 403; unknown repository: 404.
 *
 * @throws Error where the port is taken
 */
export async function startGitHost(options: GitHostOptions): Promise<GitHost> {
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()
  const server = createServer((request, response) => {
    const serving = serve(request, response, options, stopping.signal).finally(() => running.delete(serving))
    running.add(serving)
  })
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  // By name: rules for outbound requests are for hosts by name, and keep the token out of the sandbox.
  const url = `http://localhost:${port}`
  return {
    url,
    port,
    repoUrl: (name) => {
      if (!isRepositoryName(name))
        throw new Error(`name: "${name}" is no repository name: use letters, digits and -`)
      return `${url}/${name}.git`
    },
    stop: async () => {
      const closed = server.listening ? once(server, 'close') : undefined
      server.close()
      stopping.abort()
      server.closeAllConnections()
      await Promise.all([closed, ...running])
    },
  }
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  options: GitHostOptions,
  signal: AbortSignal,
): Promise<void> {
  const { access, user } = accessOf(request.headers.authorization, options)
  if (access === 'none') {
    response.setHeader('www-authenticate', 'Basic realm="git", charset="UTF-8"')
    return refuse(response, 401, 'a valid token is needed as the password')
  }
  const route = routeOf(request.method, request.url)
  if (route === undefined || !(await isRepository(options.root, route.repository)))
    return refuse(response, 404, 'repository not found')
  if (route.service === 'git-receive-pack' && access !== 'write')
    return refuse(response, 403, 'this token may only read')
  await runBackend(request, response, route, { root: options.root, user, signal })
}

async function isRepository(root: string, name: string): Promise<boolean> {
  try {
    return (await stat(join(root, `${name}.git`, 'HEAD'))).isFile()
  } catch {
    return false
  }
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end(`${message}\n`)
}
