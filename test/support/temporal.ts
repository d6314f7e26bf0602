import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { locateCli } from '../../src/runtime/temporal/locate-cli.ts'
import { startDevServer } from '../../src/runtime/temporal/dev-server.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** host:port of the suite's one Temporal dev server: tuned, in memory, namespace `default`. */
    temporalAddress: string
  }
}

/** Vitest's global set-up: one Temporal dev server for the whole suite, ended with it. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-temporal-'))
  const cli = await locateCli({ env: process.env, onProgress: (line) => console.error(line) })
  const server = await startDevServer({
    cli: cli.path,
    env: process.env,
    logFile: join(folder, 'server.log'),
    headless: true,
    tied: true,
  })
  project.provide('temporalAddress', server.address)
  return async () => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
}
