import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { CLI_VERSION, GETTING_PREFIX, onPath } from './cli-probes.ts'

const MODULE = `github.com/temporalio/cli/cmd/temporal@v${CLI_VERSION}`
const TICK_MS = 5_000
const BUILD_TIMEOUT_MS = 30 * 60_000

export interface GoInstallOptions {
  /** Path the finished program gets, by rename: it is there whole or not at all. */
  destination: string
  env: NodeJS.ProcessEnv
  onProgress: (line: string) => void
  /** Runs the build; replaced in unit tests. */
  run?: (command: string, args: string[], env: NodeJS.ProcessEnv) => Promise<void>
}

/**
 * Builds the Temporal CLI with `go install`: 4 minutes on 2 cores, 250 MB.
 *
 * @throws Error where Go is missing or the build fails
 */
export async function goInstallCli({
  destination,
  env,
  onProgress,
  run = build,
}: GoInstallOptions): Promise<void> {
  const go = onPath('go', env)
  if (go === undefined) throw new Error('Go is not on PATH')
  const folder = dirname(destination)
  await mkdir(folder, { recursive: true })
  const target = await mkdtemp(join(folder, GETTING_PREFIX))
  const begun = Date.now()
  onProgress(`building the Temporal CLI ${CLI_VERSION} with Go (once; about 4 minutes on 2 cores)`)
  const tick = setInterval(
    () =>
      onProgress(`building the Temporal CLI ${CLI_VERSION}: ${Math.round((Date.now() - begun) / 1000)} s`),
    TICK_MS,
  )
  try {
    const args = ['install', '-p', '2', '-trimpath', '-ldflags=-s -w', MODULE]
    await run(go, args, { ...env, GOBIN: target })
    await rename(join(target, 'temporal'), destination)
  } finally {
    clearInterval(tick)
    await rm(target, { recursive: true, force: true })
  }
}

async function build(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<void> {
  const { failed, timedOut, stderr, shortMessage } = await execa(command, args, {
    env,
    extendEnv: false,
    stdin: 'ignore',
    reject: false,
    timeout: BUILD_TIMEOUT_MS,
  })
  if (!failed) return
  const lastLine = stderr.trim().split('\n').at(-1)
  throw new Error(timedOut ? 'the build took more than 30 min' : lastLine || shortMessage)
}
