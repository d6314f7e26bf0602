import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { prepareKernels } from '../support/kernels.ts'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

// The interpreter's newest client doesn't work with the newest e2b.
const packages = ['e2b==2.51.0', 'e2b-code-interpreter==2.10.0']

let server: SandboxServer
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-python-'))
  const install = async () => {
    await execa('python3', ['-m', 'venv', folder])
    await execa(join(folder, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', ...packages])
  }
  const start = async () => {
    server = await startSandboxServer({ args: await prepareKernels() })
  }
  await Promise.all([install(), start()])
})
afterAll(async () => {
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

test.each(['sync', 'async', 'interpreter'])(`E2B's Python packages work with it: %s.py`, async (name) => {
  const script = fileURLToPath(new URL(`./python/${name}.py`, import.meta.url))
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    E2B_API_URL: server.apiUrl,
    E2B_SANDBOX_URL: server.sandboxUrl,
    E2B_API_KEY: server.apiKey,
  }
  const { stdout } = await execa(join(folder, 'bin/python'), ['-B', script], { env, extendEnv: false })
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('all as expected')
})
