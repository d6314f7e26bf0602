import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const check = (program: string, ...args: string[]) =>
  execa(program, args, { cwd: ROOT, reject: false, all: true, env: { NO_COLOR: '1' } })

/** docker-compose.yml with a change. */
async function changed(from: string, to: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-compose-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const text = await readFile(join(ROOT, 'docker-compose.yml'), 'utf8')
  expect(text).toContain(from)
  const file = join(folder, 'docker-compose.yml')
  await writeFile(file, text.replace(from, to))
  return file
}

test.each([[[]], [['--profile', 'sandboxes', '--profile', 'monitoring']]])(
  'Docker Compose accepts docker-compose.yml with %j',
  async (profiles) => {
    const { exitCode, all } = await check('docker-compose', ...profiles, 'config', '--quiet')
    expect(all).toBe('')
    expect(exitCode).toBe(0)
  },
)

test.each([
  ['an unknown key', 'stop_grace_period:', 'stop_grace_time:', 'stop_grace_time'],
  ['a service that is not there', 'temporal-namespace: { condition', 'nobody: { condition', 'nobody'],
])('Docker Compose refuses it with %s', async (_, from, to, named) => {
  const { exitCode, all } = await check(
    'docker-compose',
    '--file',
    await changed(from, to),
    'config',
    '--quiet',
  )
  expect(all).toContain(named)
  expect(exitCode).not.toBe(0)
})

test('hadolint has nothing to say about the Dockerfile', async () => {
  const { exitCode, all } = await check('hadolint', 'Dockerfile')
  expect(all).toBe('')
  expect(exitCode).toBe(0)
})
