import { closeSync, writeSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { Filesystem } from '../gen/filesystem_pb.js'
import { Process } from '../gen/process_pb.js'
import { readConfig, type EnvdConfig } from './config.ts'
import { findAccount } from './account.ts'
import { baseEnvironment, resolvePath } from './context.ts'
import { startEgressRelay } from './egress-relay.ts'
import { compose, type FilePlace } from './files/compose.ts'
import { download } from './files/download.ts'
import { HttpError, sendError, sendJson } from '../http.ts'
import { Interpreter, interpreterTemplate } from '../interpreter/inside.ts'
import { prepareMetadata } from './files/metadata.ts'
import { upload } from './files/upload.ts'
import { meter, type Metrics } from './metrics.ts'
import { serveUserPorts } from './port-relay.ts'
import { ProcessTable } from './process-table.ts'
import { filesystemService } from './rpc/filesystem.ts'
import { processService } from './rpc/process.ts'
import { Pipes } from './stdio.ts'
import { warmUp } from './warm-up.ts'

// The program that runs inside each sandbox: commands, files and ports of the sandbox over one unix socket.
// It trusts whoever reaches that socket; tokens and signatures are checked by the server, outside.

// The server is told here: one byte when we wait for the configuration, another when the socket listens.
const stateFd = 4

const protocols = { grpc: false, grpcWeb: false, acceptCompression: [] }

async function main(): Promise<void> {
  process.umask(0o022)
  writeSync(stateFd, '1')
  const incoming = readConfig(process.stdin)
  // A sandbox that was started ahead has this behind it. One without loopback is slower the first time, and that is all.
  const lists = { list: () => ({ processes: [] }) }
  const first = connectNodeAdapter({ ...protocols, routes: (router) => void router.service(Process, lists) })
  warmUp(first, '/process.Process/List').catch(() => undefined)
  const config = await incoming
  prepareMetadata(config.runDir)
  const proxyUrl = await startEgressRelay(config.egressPort, config.egressSocket)
  const environment = baseEnvironment(config, proxyUrl)
  const measure = meter(config.home)
  const processes = new ProcessTable(new Pipes(config.runDir))
  const rpc = connectNodeAdapter({
    routes: (router) => {
      router.service(Process, processService(config, environment, processes))
      router.service(Filesystem, filesystemService(config))
    },
    fallback: (request, response) =>
      void plainHttp(config, environment, measure, request as IncomingMessage, response as ServerResponse),
    ...protocols,
  })
  const server = createServer({ keepAliveTimeout: 640_000, requestTimeout: 0, headersTimeout: 0 }, rpc)
  const own = await findAccount(config, undefined)
  const interpreter = new Interpreter(config.interpreter, own, environment)
  serveUserPorts(server, interpreter.serve)
  if (config.envs['E2B_TEMPLATE_ID'] === interpreterTemplate) interpreter.prestart()
  server.listen(config.socket, () => {
    writeSync(stateFd, '2')
    closeSync(stateFd)
  })
}

async function plainHttp(
  config: EnvdConfig,
  environment: Record<string, string>,
  measure: () => Promise<Metrics>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://envd')
  try {
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /health':
        return void response.writeHead(204).end()
      case 'GET /envs':
        return sendJson(response, 200, environment)
      case 'GET /metrics':
        return sendJson(response, 200, await measure())
      case 'GET /files': {
        const { resolve } = await place(config, url.searchParams.get('username'))
        return await download(resolve(url.searchParams.get('path') ?? ''), request, response)
      }
      case 'POST /files': {
        const path = url.searchParams.get('path') || undefined
        const { account, resolve } = await place(config, url.searchParams.get('username'))
        return sendJson(response, 200, await upload(path, resolve, account, request))
      }
      case 'POST /files/compose':
        return sendJson(response, 200, await compose((username) => place(config, username), request))
      default:
        throw new HttpError(404, `${request.method} ${url.pathname} does not exist`)
    }
  } catch (error) {
    sendError(response, error)
  }
}

/** Whose files a request is about, and where its paths lead. Throws HttpError 401, and 400 for a path. */
async function place(config: EnvdConfig, username: string | null | undefined): Promise<FilePlace> {
  const account = await findAccount(config, username ?? undefined).catch((error: Error) => {
    throw new HttpError(401, error.message)
  })
  const resolve = (path: string) => {
    try {
      return resolvePath(config, account, path)
    } catch (error) {
      throw new HttpError(400, (error as Error).message)
    }
  }
  return { account, resolve }
}

void main()
