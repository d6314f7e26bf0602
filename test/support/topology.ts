import { type ChildProcess, spawn } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { openSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { execa } from 'execa'
import { onPath } from '../../src/runtime/temporal/cli-probes.ts'
import { locateCli } from '../../src/runtime/temporal/locate-cli.ts'
import { vi } from 'vitest'
import { environmentOf } from './compose.ts'
import { preparePostgresql } from './postgresql.ts'
import { steadyPort } from './steady-port.ts'
import { end } from './worker.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const DEPLOY = join(ROOT, 'deploy')
const POSTGRESQL = '/usr/lib/postgresql'
const TEMPORAL_SERVER = 'go.temporal.io/server'

/** What docker-compose.yml starts, as processes of this machine, with its environment names and its scripts. */
export interface Topology {
  address: string
  blobStore: string
  encryptionKeys: string
  /** The files that the containers have as /run/secrets. */
  secret(name: string): Promise<string>
  /** Ends PostgreSQL as a crash would, and starts it again. */
  crashPostgresql(): Promise<void>
  stopTemporal(): Promise<void>
  startTemporal(): void
  /** Runs the commands of docs that reach into containers, in a folder of the topology's; those that start and stop are left out. */
  runDocumented(commands: string[]): Promise<void>
  /** `env` replaces values of names that the compose file's worker has. */
  startWorker(env: Record<string, string>): Promise<ChildProcess>
  /** What all programs have printed. */
  log(): Promise<string>
  /** Files and folders with all that is left of jobs: the databases and their dumps, blobs, what was printed. */
  remains: string[]
}

/**
 * @param secrets contents of the files of deploy/secrets that are given to the operator by others
 * @param undo takes what ends and removes everything, to be called last first, also after a failed start
 */
export async function startTopology(
  secrets: Record<string, string>,
  undo: (() => Promise<unknown>)[],
): Promise<Topology> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-topology-'))
  undo.push(() => rm(folder, { recursive: true, force: true }))
  const { folder: programs, path } = await findPrograms(folder)
  const schemas = await schemaFolder(join(programs, 'temporal-server'))
  const secretsFolder = await makeSecrets(folder, secrets)
  const logFile = join(folder, 'log')
  const log = openSync(logFile, 'a')
  const started: NodeJS.ProcessEnv = { PATH: path, HOME: folder, SECRETS_DIR: secretsFolder }
  const start = (
    command: string[],
    env: NodeJS.ProcessEnv,
    ending: NodeJS.Signals = 'SIGTERM',
  ): ChildProcess => {
    const [program = '', ...args] = command
    const child = spawn(program, args, {
      cwd: ROOT,
      env: { ...started, ...env },
      stdio: ['ignore', log, log],
    })
    undo.push(() => end(child, ending))
    return child
  }
  const runScript = (script: string, env: NodeJS.ProcessEnv) =>
    execa(join(DEPLOY, 'temporal', script), {
      env: { ...started, ...env },
      extendEnv: false,
      timeout: 90_000,
    })

  const postgresql = await preparePostgresql(path, join(secretsFolder, 'postgres_password'))
  undo.push(() => postgresql.remove())
  let database = start(postgresql.command, {}, 'SIGINT')
  await postgresql.untilReady()

  const ports = await distinctPorts(SERVER_PORTS.length)
  const at = { DB_PORT: String(postgresql.port), POSTGRES_SEEDS: '127.0.0.1' }
  await runScript('schema.sh', {
    ...environmentOf('temporal-schema', secretsFolder, at),
    SCHEMAS: schemas,
  })
  const metrics = await steadyPort()
  const startTemporal = (): ChildProcess =>
    start([join(DEPLOY, 'temporal/server.sh'), 'temporal-server', '--allow-no-auth', 'start'], {
      ...environmentOf('temporal', secretsFolder, {
        ...at,
        BIND_ON_IP: '127.0.0.1',
        DYNAMIC_CONFIG_FILE_PATH: join(DEPLOY, 'temporal/dynamic-config.yaml'),
        PROMETHEUS_ENDPOINT: `127.0.0.1:${metrics}`,
      }),
      ...Object.fromEntries(SERVER_PORTS.map((name, n) => [name, String(ports[n])])),
    })
  let temporal = startTemporal()
  const address = `127.0.0.1:${ports[0]}`
  await runScript(
    'namespace.sh',
    environmentOf('temporal-namespace', secretsFolder, { TEMPORAL_ADDRESS: address }),
  )

  const volume = join(folder, 'holdfast')
  const blobStore = pathToFileURL(join(volume, 'blobs')).href
  const password = await readFile(join(secretsFolder, 'postgres_password'), 'utf8')
  return {
    address,
    blobStore,
    encryptionKeys: (await readFile(join(secretsFolder, 'encryption_keys'), 'utf8')).trim(),
    secret: async (name) => (await readFile(join(secretsFolder, name), 'utf8')).trim(),
    async crashPostgresql() {
      // SIGQUIT is PostgreSQL's immediate shutdown: nothing is written, the next start recovers.
      await end(database, 'SIGQUIT')
      database = start(postgresql.command, {}, 'SIGINT')
      await postgresql.untilReady()
    },
    stopTemporal: () => end(temporal, 'SIGTERM'),
    startTemporal() {
      temporal = startTemporal()
    },
    async runDocumented(commands) {
      const env = { PATH: path, PGHOST: '127.0.0.1', PGPORT: at.DB_PORT, PGPASSWORD: password.trim() }
      for (const line of commands) {
        const [, inPostgresql, program, rest] =
          /^docker compose (?:exec -T postgresql (.*)|run .*--entrypoint (\S+) worker (.*))$/.exec(line) ?? []
        const command =
          inPostgresql ?? (program && `${program} ${rest!.replace('/var/lib/holdfast', volume)}`)
        if (command) await execa('sh', ['-c', command], { cwd: folder, env, extendEnv: false })
      }
    },
    async startWorker(env) {
      const health = await steadyPort()
      const worker = start(
        [join(DEPLOY, 'entrypoint.sh'), process.execPath, join(ROOT, 'bin/holdfast.mjs'), 'worker'],
        environmentOf('worker', secretsFolder, {
          TEMPORAL_ADDRESS: address,
          HOLDFAST_BLOB_STORE: blobStore,
          HOLDFAST_HEALTH_HOST: '127.0.0.1',
          HOLDFAST_HEALTH_PORT: String(health),
          HOLDFAST_METRICS_HOST: '127.0.0.1',
          HOLDFAST_METRICS_PORT: '0',
          ...env,
        }),
      )
      await vi.waitUntil(
        async () => {
          if (worker.exitCode !== null)
            throw new Error(`the worker ended: ${await readFile(logFile, 'utf8')}`)
          return fetch(`http://127.0.0.1:${health}/health`).then(
            ({ ok }) => ok,
            () => false,
          )
        },
        { timeout: 60_000, interval: 200 },
      )
      return worker
    },
    log: () => readFile(logFile, 'utf8'),
    remains: [
      postgresql.data,
      volume,
      logFile,
      ...['temporal', 'temporal_visibility'].map((name) => join(folder, `${name}.dump`)),
    ],
  }
}

/** Frontend's gRPC port first. */
const SERVER_PORTS = ['FRONTEND', 'HISTORY', 'MATCHING', 'WORKER']
  .flatMap((service) => [`${service}_GRPC_PORT`, `${service}_MEMBERSHIP_PORT`])
  .concat('FRONTEND_HTTP_PORT')

async function distinctPorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await steadyPort())
  return [...ports]
}

/** PATH with everything on it, or an error that says how to get what is missing. */
async function findPrograms(scratch: string): Promise<{ folder: string; path: string }> {
  const versions = await readdir(POSTGRESQL).catch(() => [])
  const { path: cli } = await locateCli({ env: process.env })
  // In the cache it is named by its version.
  await symlink(cli, join(scratch, 'temporal'))
  const path = [
    ...versions
      .sort((one, other) => Number(other) - Number(one))
      .map((version) => join(POSTGRESQL, version, 'bin')),
    scratch,
    process.env.PATH ?? '',
  ].join(delimiter)
  const find = (name: string, remedy: string): string => {
    const found = onPath(name, { PATH: path })
    if (!found) throw new Error(`${name} is not on PATH: ${remedy}`)
    return found
  }
  find('initdb', 'apt-get install postgresql')
  find('temporal-sql-tool', 'CONTRIBUTING.md says how to build it')
  return { folder: dirname(find('temporal-server', 'CONTRIBUTING.md says how to build it')), path }
}

/** The image has the schemas as files; here they are in the Go module that the server was built from. */
async function schemaFolder(server: string): Promise<string> {
  const { stdout: version } = await execa(server, ['--version'])
  const number = /\d+\.\d+\.\d+/.exec(version)?.[0]
  const { stdout: modules } = await execa('go', ['env', 'GOMODCACHE'])
  return join(modules, `${TEMPORAL_SERVER}@v${number}`, 'schema/postgresql/v12')
}

/** By the script of deploy/, in a folder of ours. */
async function makeSecrets(folder: string, given: Record<string, string>): Promise<string> {
  await copyFile(join(DEPLOY, 'make-secrets.sh'), join(folder, 'make-secrets.sh'))
  const secrets = join(folder, 'secrets')
  await mkdir(secrets, { recursive: true, mode: 0o700 })
  for (const [name, content] of Object.entries(given)) await writeFile(join(secrets, name), content)
  await execa('sh', [join(folder, 'make-secrets.sh')])
  return secrets
}
