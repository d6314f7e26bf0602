import { mkdtemp, rm } from 'node:fs/promises'
import { execa } from 'execa'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'
import { locateCli } from '../../src/runtime/temporal/locate-cli.ts'
import {
  type DevServer,
  type DevServerOptions,
  startDevServer,
} from '../../src/runtime/temporal/dev-server.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** host:port of the suite's one Temporal dev server: tuned, in memory, namespace `default`. */
    temporalAddress: string
    /** Where its web UI is, in suites that have one. */
    temporalUi: string
  }
}

const bin = (name: string): string => fileURLToPath(new URL(`../../bin/${name}`, import.meta.url))

/** Vitest's global set-up: our programs, and one Temporal dev server for the whole suite, ended with it. */
export default async (project: TestProject): Promise<() => Promise<void>> => {
  // Bundled once, before six of them would do so at the same time, and under users who may write nowhere.
  await Promise.all([
    execa(process.execPath, [bin('holdfast.mjs'), '--help']),
    execa(process.execPath, [bin('run.mjs'), 'src/local-sandbox/main.ts', '--help']),
  ])
  return provideTemporal(project)
}

export async function provideTemporal(
  project: TestProject,
  { ui = false } = {},
): Promise<() => Promise<void>> {
  const server = await startTemporal({ headless: !ui })
  project.provide('temporalAddress', server.address)
  if (ui) project.provide('temporalUi', `http://127.0.0.1:${server.uiPort}`)
  return server.stop
}

/** A dev server in memory. */
export async function startTemporal(
  options: Pick<DevServerOptions, 'headless' | 'dynamicConfig'>,
): Promise<DevServer> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-temporal-'))
  const cli = await locateCli({ env: process.env, onProgress: (line) => console.error(line) })
  const server = await startDevServer({
    ...options,
    cli: cli.path,
    env: process.env,
    logFile: join(folder, 'server.log'),
    tied: true,
  })
  const stop = async (): Promise<void> => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
  return { ...server, stop }
}
