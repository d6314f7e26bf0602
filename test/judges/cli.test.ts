import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

const version = '2.19.0'

let server: SandboxServer
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-e2b-cli-'))
  const install = ['install', '--prefix', folder, '--no-audit', '--no-fund', `@e2b/cli@${version}`]
  await Promise.all([
    execa('npm', install),
    startSandboxServer().then((started) => {
      server = started
    }),
  ])
})
afterAll(async () => {
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

/** What the CLI prints, by a user who has nothing but the server's settings. @throws where it ends with anything but 0 */
async function e2b(...args: string[]): Promise<string> {
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    E2B_API_URL: server.apiUrl,
    E2B_SANDBOX_URL: server.sandboxUrl,
    E2B_API_KEY: server.apiKey,
  }
  const { stdout } = await execa(join(folder, 'node_modules/.bin/e2b'), args, {
    env,
    extendEnv: false,
    stdin: 'ignore',
  })
  return stripVTControlCharacters(stdout)
}

interface Listed {
  sandboxId: string
  state: string
}
const listed = async (...args: string[]) =>
  JSON.parse(await e2b('sandbox', 'list', '--format', 'json', ...args)) as Listed[]

test(`E2B's CLI ${version} creates a sandbox, uses it, pauses, resumes and kills it`, async () => {
  const sandboxId = (await e2b('sandbox', 'create', 'base', '--detach')).trim()
  expect(await listed()).toMatchObject([{ sandboxId, state: 'running' }])
  expect(await e2b('sandbox', 'info', sandboxId)).toContain('Envd version: 0.6.4')
  expect(await e2b('sandbox', 'exec', sandboxId, 'id -un; echo $((6 * 7))')).toBe('user\n42')
  await expect(e2b('sandbox', 'exec', sandboxId, 'exit 3')).rejects.toMatchObject({ exitCode: 3 })
  expect(await e2b('sandbox', 'metrics', sandboxId)).toMatch(/CPU: .*Memory: .*Disk: /)
  expect(await e2b('sandbox', 'logs', sandboxId)).toContain('sandbox created')
  await e2b('sandbox', 'pause', sandboxId)
  expect(await listed('--state', 'paused')).toMatchObject([{ sandboxId, state: 'paused' }])
  await e2b('sandbox', 'resume', sandboxId)
  await e2b('sandbox', 'kill', sandboxId)
  expect(await listed()).toEqual([])
})
