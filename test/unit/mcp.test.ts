import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MCPMock } from '@copilotkit/aimock'
import { expect, onTestFinished, test } from 'vitest'
import { listRemoteTools } from '../../src/activities/lib/mcp.ts'
import { createSecretStore } from '../../src/activities/lib/secrets.ts'

const list = (url: string) => listRemoteTools([{ name: 'tracker', url }], createSecretStore([]))

async function serve(...tools: string[]): Promise<string> {
  const server = new MCPMock()
  for (const name of tools) server.addTool({ name, description: '', inputSchema: { type: 'object' } })
  onTestFinished(() => server.stop())
  return server.start()
}

/** A server that has the same answer to everything. */
async function answering(status: number): Promise<string> {
  const server = createServer((_, response) => response.writeHead(status).end('so it is'))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test("a server's tools are found", async () => {
  const found = await list(await serve('a.b', 'a_c'))
  expect(found.map(({ name }) => name)).toEqual(['a.b', 'a_c'])
})

test.each([
  ['a.b', 'a_b'],
  [`${'x'.repeat(60)}1`, `${'x'.repeat(60)}2`],
])('tools %s and %s, which a model could not tell apart, are refused', async (one, other) => {
  await expect(list(await serve(one, other))).rejects.toMatchObject({
    type: 'ModelFailed',
    message: expect.stringContaining('two tools of tracker'),
  })
})

test.each([
  [401, 'ModelFailed'],
  [404, 'ModelFailed'],
  [429, 'ModelUnavailable'],
  [503, 'ModelUnavailable'],
])('a server that answers %i is %s', async (status, type) => {
  await expect(list(await answering(status))).rejects.toMatchObject({ type })
})

test('a server that is not there may come back', async () => {
  await expect(list('http://127.0.0.1:9')).rejects.toMatchObject({ type: 'ModelUnavailable' })
})
