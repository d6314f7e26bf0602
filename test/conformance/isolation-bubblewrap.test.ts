import { spawnSync } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Sandbox } from 'e2b'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { startSandboxServer } from '../support/sandbox-server.ts'

test('by bubblewrap a sandbox has one user, no privileges and a read-only system, and says why there is no root', async () => {
  const plain = await startSandboxServer({ args: ['--isolation', 'bubblewrap'] })
  onTestFinished(() => plain.stop())
  expect(await (await fetch(`${plain.apiUrl}/health`)).json()).toMatchObject({
    isolation: 'bubblewrap',
    root: false,
  })
  const single = await Sandbox.create(plain.connection)
  await expect(single.commands.run('id', { user: 'root' })).rejects.toThrow(
    /user 'root' isn't available.*single user/,
  )
  await expect(single.files.write('x', 'x', { user: 'root' })).rejects.toThrow(/'root' isn't available/)
  const { stdout } = await single.commands.run("grep -E '^(Cap(Prm|Eff|Bnd)|NoNewPrivs)' /proc/self/status")
  expect(stdout.split(/\s+/)).toEqual([
    ...['CapPrm:', 'CapEff:', 'CapBnd:'].flatMap((name) => [name, '0'.repeat(16)]),
    'NoNewPrivs:',
    '1',
    '',
  ])
  for (const path of ['/usr/bin/planted', '/etc/planted', '/planted'])
    await expect(single.commands.run(`echo x > ${path}`)).rejects.toMatchObject({
      stderr: expect.stringContaining('Read-only') as string,
    })
})

test('a server of an ordinary user isolates as well, with what that user may have of limits', async ({
  skip,
}) => {
  skip(process.getuid?.() !== 0, 'every other test runs as an ordinary user then')
  const other = ['--reuid=1000', '--regid=1000', '--clear-groups']
  const readable = spawnSync('setpriv', [...other, 'test', '-r', 'package.json']).status === 0
  skip(!readable, 'this folder is closed to other users')
  // By now root's server has made control groups that another user may not change.
  const ordinary = await startSandboxServer({ as: 1000, env: { HOME: '/nonexistent' } })
  try {
    const sandbox = await Sandbox.create(ordinary.connection)
    const { stdout } = await sandbox.commands.run('id -un; ls -A /tmp; touch /usr/x || echo kept')
    expect(stdout).toBe('user\nkept\n')
    await sandbox.pause()
    await sandbox.connect()
    expect((await sandbox.commands.run('echo again')).stdout).toBe('again\n')
    const health = (await (await fetch(`${ordinary.apiUrl}/health`)).json()) as object
    expect(health).toMatchObject({ isolation: 'bubblewrap', root: false })
  } finally {
    await ordinary.stop()
  }
})

test('where nothing can isolate the server refuses to start, and says what to install', async ({ skip }) => {
  skip(process.getuid?.() !== 0, 'it takes root to hide a program')
  const dataDir = await mkdtemp(join(tmpdir(), 'holdfast-refused-'))
  onTestFinished(() => rm(dataDir, { recursive: true }))
  await chmod(dataDir, 0o711)
  const hidden = 'mount --bind /dev/null "$(command -v bwrap)" && exec "$0" "$@"'
  const server = [
    'bin/run.mjs',
    'src/local-sandbox/main.ts',
    '--isolation',
    'bubblewrap',
    '--data-dir',
    dataDir,
  ]
  const { exitCode, stderr } = await execa(
    'unshare',
    ['--mount', 'sh', '-c', hidden, process.execPath, ...server],
    { reject: false, cwd: fileURLToPath(new URL('../..', import.meta.url)) },
  )
  expect(exitCode).toBe(1)
  expect(stderr).toMatch(/bwrap can't be run.*apt-get install bubblewrap.*--isolation=none/)
})
