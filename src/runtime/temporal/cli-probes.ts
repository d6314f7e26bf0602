import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { homedir } from 'node:os'
import { execa } from 'execa'

/** The newest CLI whose module `go install` accepts; later ones carry a `replace` directive. */
export const CLI_VERSION = '1.5.1'

/** Begins the name of a folder in the cache where a program is being got; who has the lock may clear old ones away. */
export const GETTING_PREFIX = '.getting-'

/** The user's cache folder for programs of ours. */
export function binCacheFolder(env: NodeJS.ProcessEnv, platform: NodeJS.Platform = process.platform): string {
  const home = env['HOME'] || homedir()
  const base =
    env['XDG_CACHE_HOME'] || (platform === 'darwin' ? join(home, 'Library', 'Caches') : join(home, '.cache'))
  return join(base, 'holdfast', 'bin')
}

/** Path of an executable file on PATH, or undefined. */
export function onPath(name: string, env: NodeJS.ProcessEnv): string | undefined {
  return (env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable)
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * Version of a Temporal CLI, e.g. `1.5.1`.
 *
 * @throws Error saying what is wrong where the file doesn't run or isn't the Temporal CLI
 */
export async function cliVersion(path: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { stdout } = await execa(path, ['--version'], { env, extendEnv: false, timeout: 20_000 })
  const version = /^temporal version (\S+)/.exec(stdout)?.[1]
  if (version === undefined)
    throw new Error(`${path} is not the Temporal CLI: it calls itself "${stdout.slice(0, 80)}"`)
  return version
}
