import { readFileSync } from 'node:fs'
import { CommandExitError, Sandbox } from 'e2b'
import { expect, onTestFinished, test } from 'vitest'
import { startSandboxServer } from '../support/sandbox-server.ts'

test('without isolation it warns, runs commands, pauses, and a kill leaves no process behind', async () => {
  const server = await startSandboxServer({ args: ['--isolation', 'none'] })
  onTestFinished(() => server.stop())
  expect(server.log()).toContain('warning: --isolation=none')
  const sandbox = await Sandbox.create({ ...server.connection, timeoutMs: 60_000 })
  expect((await sandbox.commands.run('pwd')).stdout).toContain(sandbox.sandboxId)
  await expect(sandbox.commands.run('exit 3')).rejects.toThrow(CommandExitError)

  const { stdout } = await sandbox.commands.run('setsid sleep 1000 > /dev/null 2>&1 & echo $!')
  const orphan = Number(stdout)
  await sandbox.pause()
  await sandbox.connect()
  expect(['R', 'S']).toContain(state(orphan))
  await sandbox.kill()
  // Its new parent may take its time to collect it.
  expect(['Z', undefined]).toContain(state(orphan))
})

function state(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0]
  } catch {
    return undefined
  }
}
