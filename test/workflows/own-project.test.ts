import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { extendedBundle } from '../../src/runtime/workflow-bundle.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BIN = join(ROOT, 'node_modules/.bin')
const COMPILER = {
  module: 'nodenext',
  lib: ['es2023'],
  strict: true,
  noEmit: true,
  allowImportingTsExtensions: true,
  skipLibCheck: true,
}

/** A project that links Holdfast, and has nothing else. */
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-project-'))
  await mkdir(join(folder, 'node_modules'))
  await symlink(ROOT, join(folder, 'node_modules/holdfast'))
  const files = {
    'package.json': JSON.stringify({ type: 'module' }),
    'tsconfig.json': JSON.stringify({ compilerOptions: COMPILER, include: ['*.ts'] }),
    'main.ts': `
      import { connect, secret } from 'holdfast'
      const doors: string[] = [typeof connect, secret('GIT_TOKEN').secret]
      process.stdout.write(doors.join())`,
    'workflows.ts': `
      import { createSandbox, type Sandbox } from 'holdfast/workflow'
      export async function greetFromMyProject(): Promise<string> {
        const sandbox: Sandbox = await createSandbox()
        return (await sandbox.commands.run('echo hello')).stdout
      }`,
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('tsx runs a program of a project that links Holdfast, by the name that the README says', async () => {
  const { stdout } = await execa(join(BIN, 'tsx'), ['main.ts'], { cwd: folder })
  expect(stdout).toBe('function,GIT_TOKEN')
})

test("a worker's bundle takes workflows of a project that links Holdfast", async () => {
  const { code } = await extendedBundle(join(folder, 'workflows.ts'))
  expect(code).toContain('greetFromMyProject')
})

test('tsc checks a project that links Holdfast', async () => {
  const { stdout } = await execa(join(BIN, 'tsc'), ['-p', '.'], { cwd: folder, reject: false })
  expect(stdout).toBe('')
})
