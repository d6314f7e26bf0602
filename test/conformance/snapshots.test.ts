import { readdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { Sandbox, SandboxNotFoundError, Template } from 'e2b'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

let server: SandboxServer
beforeAll(async () => {
  server = await startSandboxServer()
})
afterAll(() => server.stop())

const create = (options = {}, template = 'base') =>
  Sandbox.create(template, { ...server.connection, timeoutMs: 120_000, ...options })
const control = (method: string, path: string, body?: unknown) =>
  fetch(`${server.apiUrl}${path}`, {
    method,
    headers: { 'x-api-key': server.apiKey, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })

async function listSnapshots(options: { sandboxId?: string; name?: string; limit?: number } = {}) {
  const pages = Sandbox.listSnapshots({ ...server.connection, ...options })
  const found: string[] = []
  while (pages.hasNext) found.push(...(await pages.nextItems()).map(({ snapshotId }) => snapshotId))
  return found
}
let count = 0
const uniqueName = () => `snap-${++count}`

describe('snapshots', () => {
  test('a snapshot holds the disk of its moment, for sandboxes that then go their own ways', async () => {
    const source = await create({ envs: { KEPT: 'yes' } })
    await source.files.write('dir/file', 'before')
    await source.commands.run('ln -s dir link; chmod 600 dir/file; echo t > /tmp/t')
    const { snapshotId, names } = await source.createSnapshot()
    expect(snapshotId).toMatch(/^[a-z0-9]+:default$/)
    expect(names).toEqual([])
    await source.files.write('dir/file', 'after')

    const [one, two] = await Promise.all([create({}, snapshotId), create({}, snapshotId)])
    await one.files.write('dir/file', 'one')
    expect(await two.files.read('link/file')).toBe('before')
    expect(await source.files.read('dir/file')).toBe('after')
    const { stdout } = await two.commands.run(
      'stat -c "%U %a" dir/file; cat /tmp/t; echo $KEPT; touch dir/new',
    )
    expect(stdout).toBe('user 600\nt\nyes\n')
    expect((await two.getInfo()).templateId).toBe(snapshotId.split(':')[0])
  })

  test('the source goes on, with its processes and open streams', async () => {
    const source = await create()
    let seen = ''
    const onStdout = (text: string) => void (seen += text)
    const job = await source.commands.run('while ! [ -e stop ]; do echo tick; sleep 0.02; done', {
      background: true,
      onStdout,
    })
    const { endAt } = await source.getInfo()
    await source.createSnapshot()
    const { length } = seen
    await expect.poll(() => seen.length).toBeGreaterThan(length + 20)
    expect((await source.getInfo()).endAt).toEqual(endAt)
    await source.files.write('stop', '')
    expect((await job.wait()).exitCode).toBe(0)
  })

  test('a snapshot outlives its source and a restart of the server', async () => {
    const source = await create()
    await source.files.write('file', 'kept')
    const { snapshotId } = await source.createSnapshot()
    await source.kill()
    await server.kill()
    await server.restart()
    expect(await (await create({}, snapshotId)).files.read('file')).toBe('kept')
  })

  test('a named snapshot has that name, by which sandboxes start; taken again, it is replaced', async () => {
    const name = uniqueName()
    const source = await create()
    await source.files.write('file', '1')
    const first = await source.createSnapshot({ name })
    expect(first).toEqual({ snapshotId: `local/${name}:default`, names: [`local/${name}`] })
    await source.createSnapshot({ name: `${name}:v1` })
    await source.files.write('file', '2')
    expect(await source.createSnapshot({ name })).toEqual(first)
    const started = await Promise.all(
      [name, `${name}:v1`, `local/${name}:default`].map((template) => create({}, template)),
    )
    expect(await Promise.all(started.map((sandbox) => sandbox.files.read('file')))).toEqual(['2', '1', '2'])
    expect((await started[0]!.getInfo()).name).toBe(name)
    expect(await listSnapshots({ name })).toEqual([`local/${name}:default`, `local/${name}:v1`])
    expect(await listSnapshots({ name: `${name}:v1` })).toEqual([`local/${name}:v1`])
    expect(await Template.exists(name, server.connection)).toBe(true)
  })

  test('snapshots taken at once under a name that is new are of one template', async () => {
    const name = uniqueName()
    const sources = await Promise.all([create(), create(), create()])
    const tags = ['v1', 'v2', 'v2']
    await Promise.all(sources.map((source, i) => source.createSnapshot({ name: `${name}:${tags[i]}` })))
    expect((await listSnapshots({ name })).sort()).toEqual([`local/${name}:v1`, `local/${name}:v2`])
    for (const tag of tags) expect(await (await create({}, `${name}:${tag}`)).isRunning()).toBe(true)
    expect(await Sandbox.deleteSnapshot(name, server.connection)).toBe(true)
    expect(await Template.exists(name, server.connection)).toBe(false)
  })

  test('a list is newest first, over pages, by sandbox', async () => {
    const source = await create()
    const ids: string[] = []
    for (const _ of [1, 2, 3]) ids.push((await source.createSnapshot()).snapshotId)
    expect(await listSnapshots({ sandboxId: source.sandboxId, limit: 2 })).toEqual(ids.reverse())
    expect((await listSnapshots()).length).toBeGreaterThanOrEqual(3)
    expect(await listSnapshots({ sandboxId: 'iother' })).toEqual([])
    expect((await control('GET', '/snapshots?nextToken=bogus')).status).toBe(400)
    expect((await control('GET', '/snapshots?limit=0')).status).toBe(400)
  })

  test('a deleted snapshot is gone; one that a paused sandbox came from is kept', async () => {
    const source = await create()
    const { snapshotId } = await source.createSnapshot({ name: uniqueName() })
    const user = await create({}, snapshotId)
    await user.pause()
    await expect(Sandbox.deleteSnapshot(snapshotId, server.connection)).rejects.toThrow(/^400: .*paused/)
    await user.kill()
    expect(await Sandbox.deleteSnapshot(snapshotId, server.connection)).toBe(true)
    expect(await Sandbox.deleteSnapshot(snapshotId, server.connection)).toBe(false)
    await expect(create({}, snapshotId)).rejects.toThrow(/404.*not found/)
  })

  test.each([
    [
      'a paused sandbox',
      409,
      async () => {
        const sandbox = await create()
        await sandbox.pause()
        return sandbox.sandboxId
      },
      {},
    ],
    ['one that is not there', 404, () => Promise.resolve('iunknown'), {}],
    ['a malformed name', 400, async () => (await create()).sandboxId, { name: '../x' }],
    ["another's namespace", 400, async () => (await create()).sandboxId, { name: 'other/x' }],
  ])('a snapshot of %s is refused with %i', async (_what, status, sandboxId, body) => {
    const answer = await control('POST', `/sandboxes/${await sandboxId()}/snapshots`, body)
    expect(answer.status).toBe(status)
    expect(await answer.json()).toMatchObject({ code: status })
  })

  test('a server killed while it copies leaves the source running, and no half of a snapshot', async () => {
    const source = await create()
    await source.commands.run('mkdir d; for i in $(seq 3000); do : > d/$i; done')
    const { sandboxId } = source
    const folder = join(server.dataDir, 'disks/templates')
    const saved = () => readdirSync(folder).flatMap((id) => readdirSync(join(folder, id)))
    const before = saved().length
    const outcome = source.createSnapshot().catch(() => undefined)
    await expect.poll(() => saved().length, { interval: 1 }).toBeGreaterThan(before)
    await server.kill()
    await outcome
    await server.restart()
    const count = 'ls d | wc -l'
    expect((await source.commands.run(count)).stdout).toBe('3000\n')
    // It may have been faster than the signal; a template is a record and a disk.
    const whole = await listSnapshots({ sandboxId })
    for (const snapshotId of whole)
      expect((await (await create({}, snapshotId)).commands.run(count)).stdout).toBe('3000\n')
    expect(saved()).toHaveLength(before + 2 * whole.length)
  })

  test('where copies share blocks, snapshots and forks of a large disk take no room of their own', async ({
    skip,
  }) => {
    const { copies } = (await (await fetch(`${server.apiUrl}/health`)).json()) as { copies: string }
    skip(copies !== 'shared', 'this machine can share no blocks')
    const source = await create()
    await source.commands.run('head -c 32M /dev/urandom > large; sync; md5sum large > sum')
    const used = () => {
      const { blocks, bfree, bsize } = statfsSync(join(server.dataDir, 'disks'))
      return ((blocks - bfree) * bsize) / 2 ** 20
    }
    const before = used()
    const { snapshotId } = await source.createSnapshot()
    const copied = [await create({}, snapshotId), ...((await source.fork({ count: 2 })) as Sandbox[])]
    expect(used() - before).toBeLessThan(24)
    await source.commands.run('head -c 32M /dev/zero > large; sync')
    for (const copy of copied) expect((await copy.commands.run('md5sum -c sum')).stdout).toBe('large: OK\n')
  })

  test('where disks are plain folders their files are copied', async () => {
    const plain = await startSandboxServer({ args: ['--sandbox-disk-mb', '0'] })
    onTestFinished(() => plain.stop())
    const source = await Sandbox.create(plain.connection)
    await source.files.write('file', 'kept')
    const [fork] = (await source.fork()) as [Sandbox]
    const { snapshotId } = await source.createSnapshot()
    const started = await Sandbox.create(snapshotId, plain.connection)
    await source.files.write('file', 'after')
    for (const copy of [fork, started]) expect(await copy.files.read('file')).toBe('kept')
  })
})

describe('fork', () => {
  test('forks have disk, metadata, environment and lifecycle of their source, and a life of their own', async () => {
    const lifecycle = { onTimeout: 'pause' as const, autoResume: false }
    const network = { denyOut: ['0.0.0.0/0'] }
    const metadata = { group: uniqueName() }
    const source = await create({ metadata, envs: { KEPT: 'env' }, lifecycle, network })
    await source.files.write('file', 'source')
    const forks = (await source.fork({ count: 2, timeoutMs: 60_000 })) as Sandbox[]
    expect(new Set([source, ...forks].map(({ sandboxId }) => sandboxId)).size).toBe(3)
    await forks[0]!.files.write('file', 'fork')
    await source.kill()
    const { stdout } = await forks[1]!.commands.run('cat file; echo; echo $KEPT $E2B_SANDBOX_ID')
    expect(stdout).toBe(`source\nenv ${forks[1]!.sandboxId}\n`)
    const info = await forks[1]!.getInfo()
    expect(info).toMatchObject({ metadata, lifecycle, network })
    expect(info.endAt.getTime() - Date.now()).toBeLessThanOrEqual(60_000)
    expect(await listSnapshots({ sandboxId: source.sandboxId })).toEqual([])
  })

  test.each([
    [400, { count: 0 }],
    [400, { count: 101 }],
    [400, { timeout: -1 }],
  ])('%i for %j', async (status, body) => {
    const { sandboxId } = await create()
    expect((await control('POST', `/sandboxes/${sandboxId}/fork`, body)).status).toBe(status)
  })

  test('a paused sandbox is refused with 409, one that is not there with 404', async () => {
    const sandbox = await create()
    await sandbox.pause()
    expect((await control('POST', `/sandboxes/${sandbox.sandboxId}/fork`, {})).status).toBe(409)
    await expect(Sandbox.fork('iunknown', server.connection)).rejects.toThrow(SandboxNotFoundError)
  })
})

describe('templates', () => {
  test('an unknown template is not found, with those there are', async () => {
    await expect(create({}, 'nonesuch')).rejects.toThrow(/404: template 'nonesuch' not found; there is base/)
    expect(await Template.exists('nonesuch', server.connection)).toBe(false)
    expect((await control('POST', '/v2/sandboxes', { templateID: 'a/b/c' })).status).toBe(400)
  })

  test('the built-in ones exist, and cannot be deleted', async () => {
    expect(await Template.exists('base', server.connection)).toBe(true)
    expect((await (await create({}, 'code-interpreter-v1')).getInfo()).name).toBe('code-interpreter-v1')
    expect((await control('DELETE', '/templates/base')).status).toBe(403)
  })

  test('both lists have the templates made here', async () => {
    const name = uniqueName()
    await (await create()).createSnapshot({ name })
    for (const path of ['/templates', '/v2/templates']) {
      const list = (await (await control('GET', path)).json()) as { names: string[] }[]
      expect(list.find(({ names }) => names.includes(`local/${name}`))).toMatchObject({
        buildStatus: 'ready',
        spawnCount: 0,
        aliases: [name],
      })
    }
    const first = await control('GET', '/v2/templates?limit=1')
    expect(first.headers.get('x-next-token')).toBeTruthy()
  })
})
