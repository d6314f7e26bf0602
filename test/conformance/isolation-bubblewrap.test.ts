import { Sandbox } from 'e2b'
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
  await expect(single.files.write('/root/x', 'x', { user: 'root' })).rejects.toThrow(/'root' isn't available/)
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
