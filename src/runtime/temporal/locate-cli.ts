import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { lock } from 'proper-lockfile'
import {
  CLI_VERSION,
  GETTING_PREFIX,
  binCacheFolder,
  cliVersion,
  isExecutable,
  onPath,
} from './cli-probes.ts'
import { downloadCliBySdk } from './sdk-download.ts'
import { goInstallCli } from './go-install.ts'

export interface LocatedCli {
  path: string
  /** Which was taken, in a few words. */
  how: string
}

/** How the outside is asked; the real ones unless a unit test gives others. */
export interface CliProbes {
  /** @throws Error where the file isn't a Temporal CLI that runs */
  version(path: string, env: NodeJS.ProcessEnv): Promise<string>
  onPath(name: string, env: NodeJS.ProcessEnv): string | undefined
  isExecutable(path: string): boolean
  download(options: { destination: string; env: NodeJS.ProcessEnv; onProgress: Progress }): Promise<void>
  goInstall(options: { destination: string; env: NodeJS.ProcessEnv; onProgress: Progress }): Promise<void>
}

export type Progress = (line: string) => void

export interface LocateCliOptions {
  env: NodeJS.ProcessEnv
  onProgress?: Progress
  probes?: Partial<CliProbes>
}

const REAL_PROBES: CliProbes = {
  version: cliVersion,
  onPath,
  isExecutable,
  download: downloadCliBySdk,
  goInstall: goInstallCli,
}

/** The lock of a holder that was killed is taken over after this long. */
const LOCK_STALE_MS = 15_000

/**
 * Finds the Temporal CLI, or gets it: `TEMPORAL_CLI_PATH`, PATH, our cache, the SDK's download, `go install`.
 * Two processes at once get it once: the second waits and finds it cached.
 *
 * @throws Error naming `TEMPORAL_CLI_PATH` where that is set and doesn't run, else listing each attempt and its reason
 */
export async function locateCli(options: LocateCliOptions): Promise<LocatedCli> {
  const { env, onProgress = () => {} } = options
  const probes = { ...REAL_PROBES, ...options.probes }
  const named = env['TEMPORAL_CLI_PATH']
  if (named) return useNamed(named, env, probes)

  const failures = ['TEMPORAL_ADDRESS and Temporal profile: not set', 'TEMPORAL_CLI_PATH: not set']
  const onPathCli = probes.onPath('temporal', env)
  if (onPathCli === undefined) failures.push('temporal on PATH: not there')
  else if (await runs('temporal on PATH', onPathCli, env, probes, failures))
    return { path: onPathCli, how: `the Temporal CLI on PATH (${onPathCli})` }

  const cached = await findCached(env, probes, failures)
  if (cached) return cached
  return getOnce(env, onProgress, probes, failures)
}

async function useNamed(path: string, env: NodeJS.ProcessEnv, probes: CliProbes): Promise<LocatedCli> {
  try {
    await probes.version(path, env)
  } catch (error) {
    throw new Error(
      `TEMPORAL_CLI_PATH: ${path} does not run (${firstLine(error)}): correct it, or unset it to let Holdfast look elsewhere`,
      { cause: error },
    )
  }
  return { path, how: `the Temporal CLI that TEMPORAL_CLI_PATH names (${path})` }
}

function cachePaths(env: NodeJS.ProcessEnv): { built: string; downloaded: string } {
  const folder = binCacheFolder(env)
  return { built: join(folder, `temporal-${CLI_VERSION}`), downloaded: join(folder, 'temporal-downloaded') }
}

async function findCached(
  env: NodeJS.ProcessEnv,
  probes: CliProbes,
  failures: string[],
): Promise<LocatedCli | undefined> {
  const { built, downloaded } = cachePaths(env)
  for (const path of [built, downloaded].filter((path) => probes.isExecutable(path))) {
    if (await runs('cached Temporal CLI', path, env, probes, failures))
      return { path, how: `the cached Temporal CLI (${path})` }
  }
  failures.push(`cached Temporal CLI: none in ${binCacheFolder(env)}`)
  return undefined
}

async function getOnce(
  env: NodeJS.ProcessEnv,
  onProgress: Progress,
  probes: CliProbes,
  failures: string[],
): Promise<LocatedCli> {
  const folder = binCacheFolder(env)
  await mkdir(folder, { recursive: true })
  const release = await lockOrWait(join(folder, 'temporal'), onProgress)
  try {
    const byAnother = await findCached(env, probes, [])
    if (byAnother) return byAnother
    await clearLeftovers(folder)
    const { built, downloaded } = cachePaths(env)
    if (
      await got(
        "the SDK's download",
        () => probes.download({ destination: downloaded, env, onProgress }),
        failures,
      )
    )
      return { path: downloaded, how: `the Temporal CLI downloaded by the SDK (${downloaded})` }
    if (await got('go install', () => probes.goInstall({ destination: built, env, onProgress }), failures))
      return { path: built, how: `the Temporal CLI built by go install (${built})` }
  } finally {
    await release()
  }
  throw new Error(
    [
      'no Temporal server was found and none could be started. Tried:',
      ...failures.map((line) => `  - ${line}`),
    ].join('\n') +
      '\nWhat to do: run a server and set TEMPORAL_ADDRESS=host:7233, or install the Temporal CLI' +
      ' (https://docs.temporal.io/cli) on PATH, or install Go 1.23 or newer and start again.',
  )
}

/** Of processes that were killed while they got the CLI. */
async function clearLeftovers(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(GETTING_PREFIX))
  await Promise.all(names.map((name) => rm(join(folder, name), { recursive: true, force: true })))
}

async function lockOrWait(name: string, onProgress: Progress): Promise<() => Promise<void>> {
  const options = { realpath: false, stale: LOCK_STALE_MS }
  try {
    return await lock(name, options)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ELOCKED') throw error
    onProgress('another process is getting the Temporal CLI; waiting for it')
    return lock(name, { ...options, retries: { retries: 7200, factor: 1, minTimeout: 250, maxTimeout: 250 } })
  }
}

async function runs(
  what: string,
  path: string,
  env: NodeJS.ProcessEnv,
  probes: CliProbes,
  failures: string[],
): Promise<boolean> {
  return got(`${what} (${path})`, () => probes.version(path, env), failures)
}

async function got(what: string, attempt: () => Promise<unknown>, failures: string[]): Promise<boolean> {
  try {
    await attempt()
    return true
  } catch (error) {
    failures.push(`${what}: ${firstLine(error)}`)
    return false
  }
}

function firstLine(error: unknown): string {
  const shortMessage = (error as { shortMessage?: string }).shortMessage
  return (shortMessage ?? (error instanceof Error ? error.message : String(error))).split('\n')[0]!
}
