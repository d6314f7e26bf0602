import { Sandbox } from 'e2b'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

let server: SandboxServer
let sandbox: Sandbox
let token: string
beforeAll(async () => {
  server = await startSandboxServer()
  sandbox = await Sandbox.create({ ...server.connection, timeoutMs: 300_000 })
  const headers = { 'x-api-key': server.apiKey }
  const answer = await fetch(`${server.apiUrl}/sandboxes/${sandbox.sandboxId}`, { headers })
  token = ((await answer.json()) as { envdAccessToken: string }).envdAccessToken
})
afterAll(() => server.stop())

const metrics = (accessToken: string) =>
  fetch(`${server.sandboxUrl}/metrics`, {
    headers: {
      'e2b-sandbox-id': sandbox.sandboxId,
      'e2b-sandbox-port': '49983',
      'x-access-token': accessToken,
    },
  })

test('metrics tell what the sandbox uses', async () => {
  const idle = (await (await metrics(token)).json()) as Record<string, number>
  expect(Object.keys(idle).sort()).toEqual(
    [
      ['cpu_count', 'cpu_used_pct', 'disk_total', 'disk_used', 'mem_cache'],
      ['mem_total', 'mem_total_mib', 'mem_used', 'mem_used_mib', 'ts'],
    ].flat(),
  )
  expect(idle['mem_used']).toBeGreaterThan(0)
  expect(idle['mem_used']).toBeLessThan(idle['mem_total']!)
  const busy = await sandbox.commands.run(
    `python3 -c 'b = bytearray(100 << 20); print("held", flush=True)
while True: pass'`,
    { background: true },
  )
  await expect
    .poll(async () => (await (await metrics(token)).json()) as Record<string, number>)
    .toSatisfy(
      (now: Record<string, number>) =>
        now['mem_used']! > idle['mem_used']! + (90 << 20) && now['cpu_used_pct']! > 5,
    )
  await busy.kill()
})

test('metrics want the token', async () => {
  expect((await metrics('wrong')).status).toBe(401)
})
