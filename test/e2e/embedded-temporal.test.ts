import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, type Server, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Client, Connection } from '@temporalio/client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type EmbeddedOptions, embeddedServer } from '../../src/runtime/temporal/embedded.ts'
import { findTemporal } from '../../src/runtime/temporal/find-temporal.ts'
import { locateCli } from '../../src/runtime/temporal/locate-cli.ts'
import { steadyPort } from '../support/steady-port.ts'
import { identify } from '../../src/runtime/temporal/process-identity.ts'
import { untilReachable } from '../../src/runtime/temporal/reachable.ts'
import { readRecord } from '../../src/runtime/temporal/server-record.ts'

const CHILD = fileURLToPath(new URL('../support/embedded-child.ts', import.meta.url))
/** Without what would name a server of the developer's own. */
const { TEMPORAL_ADDRESS: _address, TEMPORAL_PROFILE: _profile, ...env } = process.env

let stateFolder: string
let preferredPorts: { port: number; uiPort: number }
const stops: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  stateFolder = await mkdtemp(join(tmpdir(), 'holdfast-embedded-'))
  preferredPorts = { port: await steadyPort(), uiPort: await steadyPort() }
})

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
  await rm(stateFolder, { recursive: true, force: true })
})

async function start(options: Partial<EmbeddedOptions> = {}) {
  const cli = async () => (await locateCli({ env })).path
  const server = await embeddedServer({ cli, stateFolder, env, preferredPorts, ...options })
  stops.push(server.stop)
  return server
}

async function withClient<T>(address: string, use: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address })
  try {
    return await use(new Client({ connection }))
  } finally {
    await connection.close()
  }
}

/** In a process group of its own, as a shell starts it. */
async function startChild(): Promise<{ child: ChildProcess; address: string; how: string }> {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', CHILD, stateFolder, JSON.stringify(preferredPorts)],
    {
      env,
      detached: true,
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  const ended = once(child, 'exit')
  stops.push(async () => {
    child.stdin.end()
    await ended
  })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return { child, ...(JSON.parse(line) as { address: string; how: string }) }
}

describe('the embedded Temporal server', () => {
  test('stopped and started again on the same file it still has its workflows', async () => {
    const first = await start()
    expect(first).toMatchObject({
      origin: 'started',
      address: `127.0.0.1:${preferredPorts.port}`,
      uiUrl: `http://127.0.0.1:${preferredPorts.uiPort}`,
    })
    expect((await fetch(first.uiUrl)).status).toBe(200)
    const runId = await withClient(first.address, async (client) => {
      const handle = await client.workflow.start('nobody', { workflowId: 'kept', taskQueue: 'none' })
      return handle.firstExecutionRunId
    })
    await first.stop()
    expect(identify(first.pid)).toBeUndefined()

    const second = await start()
    expect(second.origin).toBe('started')
    expect(second.pid).not.toBe(first.pid)
    const found = await withClient(second.address, (client) => client.workflow.getHandle('kept').describe())
    expect(found.runId).toBe(runId)
    expect(found.status.name).toBe('RUNNING')
  })

  test('a second user shares it, and does not stop it', async () => {
    const first = await start()
    const second = await start()
    expect(second).toMatchObject({ origin: 'shared', pid: first.pid, address: first.address })
    await second.stop()
    await untilReachable({ address: first.address }, 'default', 60_000)
  })

  test('two processes that start at once get one server', async () => {
    const both = await Promise.all([startChild(), startChild()])
    expect(both[0].address).toBe(both[1].address)
    expect(new Set(both.map(({ how }) => /started with|another process runs/.exec(how)?.[0]))).toEqual(
      new Set(['another process runs', 'started with']),
    )
  })

  test("it outlives a SIGKILL of its owner's whole process group, is adopted, and then stopped", async () => {
    const owner = await startChild()
    const killed = once(owner.child, 'exit')
    process.kill(-owner.child.pid!, 'SIGKILL')
    await killed

    const adopted = await start()
    expect(adopted).toMatchObject({ origin: 'adopted', address: owner.address })
    await withClient(adopted.address, (client) =>
      client.workflow.start('nobody', { workflowId: 'after', taskQueue: 'none' }),
    )
    await adopted.stop()
    expect(identify(adopted.pid)).toBeUndefined()
  })

  test('a server that was itself killed is started anew, on the ports it had', async () => {
    const first = await start()
    process.kill(first.pid, 'SIGKILL')
    await first.stop()
    const taken = [await listen(0), await listen(0)].map((server) => {
      stops.push(async () => server.close())
      return (server.address() as AddressInfo).port
    })
    const second = await start({ preferredPorts: { port: taken[0]!, uiPort: taken[1]! } })
    expect(second).toMatchObject({ origin: 'started', address: first.address, uiUrl: first.uiUrl })
  })

  test('where a preferred port is taken another one is used, and the sentence says so', async () => {
    const other = await listen(preferredPorts.port)
    stops.push(async () => other.close())
    const server = await findTemporal({ env, stateFolder, preferredPorts })
    stops.push(server.stop)
    expect(server.kind).toBe('embedded')
    expect(server.address).not.toBe(`127.0.0.1:${preferredPorts.port}`)
    expect(server.how).toContain(`(${preferredPorts.port} being taken)`)
    await untilReachable(server.connection, server.namespace, 60_000)
  })

  test('a start that is given up leaves no server, though it has not answered yet', async () => {
    const silent = join(stateFolder, 'silent')
    await writeFile(silent, '#!/bin/sh\nexec sleep 1000\n', { mode: 0o755 })
    const giveUp = new AbortController()
    const starting = start({ cli: async () => silent, signal: giveUp.signal })
    const record = () => readRecord(join(stateFolder, 'temporal.json'))
    await expect.poll(record).toBeDefined()
    giveUp.abort(new Error('enough'))
    await expect(starting).rejects.toThrow('enough')
    expect(identify(record()!.server.pid)).toBeUndefined()
  })

  test('a start that is given up does not wait for the CLI to be got', async () => {
    const giveUp = new AbortController()
    const cli = () => {
      giveUp.abort(new Error('enough'))
      return new Promise<never>(() => undefined)
    }
    await expect(start({ cli, signal: giveUp.signal })).rejects.toThrow('enough')
    expect(readRecord(join(stateFolder, 'temporal.json'))).toBeUndefined()
  })

  test('a program that ends at once is an error with what it printed', async () => {
    const failing = start({ cli: async () => process.execPath })
    await expect(failing).rejects.toThrow(/ended with code 1 before it answered\n[^]*Cannot find module/)
  })

  test('a program that is not there is an error that names it', async () => {
    await expect(start({ cli: async () => join(stateFolder, 'none') })).rejects.toThrow('ENOENT')
  })
})

async function listen(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}
