import { FileNotFoundError, FilesystemEventType, Sandbox, type FilesystemEvent } from 'e2b'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

const { CREATE, WRITE, REMOVE, RENAME, CHMOD } = FilesystemEventType

let server: SandboxServer
let sandbox: Sandbox
beforeAll(async () => {
  server = await startSandboxServer()
  sandbox = await Sandbox.create({ ...server.connection, timeoutMs: 300_000 })
})
afterAll(() => server.stop())

let folders = 0
/** Watches a new folder, runs a command in it, and answers the events up to the one of the file `end`. */
async function watched(command: string, { before }: { before?: string } = {}) {
  const folder = `/home/user/w${folders++}`
  await sandbox.files.makeDir(folder)
  if (before) await sandbox.commands.run(before, { cwd: folder })
  const events: FilesystemEvent[] = []
  let ended: () => void
  const end = new Promise<void>((resolve) => (ended = resolve))
  const handle = await sandbox.files.watchDir(folder, (event) => {
    if (event.name === 'end') ended()
    else events.push(event)
  })
  await sandbox.commands.run(`${command}; ln -s nothing end`, { cwd: folder })
  await end
  await handle.stop()
  return events
}
const told = (events: FilesystemEvent[]) => events.map(({ type, name }) => `${type} ${name}`)

describe('one directory', () => {
  test('a new file is told as created, then written', async () => {
    const events = told(await watched('echo text > a'))
    expect([...new Set(events)]).toEqual([`${CREATE} a`, `${WRITE} a`])
  })

  test('a write to a file that was there is a write only', async () => {
    const events = told(await watched('echo more >> a', { before: 'echo text > a' }))
    expect(new Set(events)).toEqual(new Set([`${WRITE} a`]))
  })

  test('a change of mode is chmod', async () => {
    expect(told(await watched('chmod 600 a', { before: 'echo text > a' }))).toEqual([`${CHMOD} a`])
  })

  test('a removed file is told as removed', async () => {
    expect(told(await watched('rm a', { before: 'echo text > a' }))).toEqual([`${REMOVE} a`])
  })

  test('a rename tells the old name, then the new one as created', async () => {
    expect(told(await watched('mv a b', { before: 'echo text > a' }))).toEqual([`${RENAME} a`, `${CREATE} b`])
  })

  test.each([
    ['file', 'echo text > a'],
    ['folder', 'mkdir -p a/b'],
    ['link', 'ln -s nowhere a'],
  ])('a %s that is moved out of the folder is told as renamed', async (_what, before) => {
    const move = 'rm -rf ../outside; mv a ../outside'
    expect(told(await watched(move, { before }))).toEqual([`${RENAME} a`])
  })

  test('a removed file that has another name elsewhere is told as removed', async () => {
    const before = 'echo text > a; ln a ../another'
    expect(told(await watched('rm a', { before }))).toEqual([`${REMOVE} a`])
  })

  test('what happens in a subfolder is not told', async () => {
    expect(told(await watched('echo text > sub/a', { before: 'mkdir sub' }))).toEqual([])
  })

  test('an upload is told as a write', async () => {
    await sandbox.files.write('up/file', 'old')
    let wrote: (event: FilesystemEvent) => void
    const first = new Promise<FilesystemEvent>((resolve) => (wrote = resolve))
    const handle = await sandbox.files.watchDir('up', (event) => wrote(event))
    await sandbox.files.write('up/file', 'new')
    expect(await first).toMatchObject({ type: WRITE, name: 'file' })
    await handle.stop()
  })
})

describe('recursive', () => {
  const watching = async (folder: string) => {
    await sandbox.files.makeDir(folder)
    const events: FilesystemEvent[] = []
    const handle = await sandbox.files.watchDir(folder, (event) => void events.push(event), {
      recursive: true,
    })
    const all = () => told(events)
    const tells = async (event: string) => {
      await expect.poll(all).toContain(event)
    }
    return { handle, all, tells }
  }

  test('a folder made later is watched, with what was made in it at once', async () => {
    const folder = '/home/user/later'
    const { handle, all, tells } = await watching(folder)
    await sandbox.commands.run('mkdir -p x/y && echo text > x/y/a', { cwd: folder })
    // What is gone again before it is seen can't be told.
    await tells(`${CREATE} x/y/a`)
    await sandbox.commands.run('rm x/y/a; rmdir x/y', { cwd: folder })
    await tells(`${REMOVE} x/y`)
    expect(all()).toEqual(expect.arrayContaining([`${CREATE} x`, `${CREATE} x/y`, `${REMOVE} x/y`]))
    const [made, gone] = [all().indexOf(`${CREATE} x/y`), all().indexOf(`${REMOVE} x/y`)]
    expect(made).toBeLessThan(gone)
    await handle.stop()
  })

  test('files in a folder made later are told by their path', async () => {
    const folder = '/home/user/late'
    const { handle, tells } = await watching(folder)
    await sandbox.files.makeDir(`${folder}/x/y`)
    await tells(`${CREATE} x/y`)
    await sandbox.files.write(`${folder}/x/y/a`, 'text')
    await tells(`${WRITE} x/y/a`)
    await sandbox.files.rename(`${folder}/x`, `${folder}/z`)
    await tells(`${RENAME} x`)
    await sandbox.files.write(`${folder}/z/y/b`, 'text')
    await tells(`${WRITE} z/y/b`)
    await handle.stop()
  })
})

describe('entries', () => {
  const events = async (body: object) => {
    const { path } = body as { path: string }
    await sandbox.files.makeDir(path)
    const { watcherId } = await rpc('CreateWatcher', body)
    await sandbox.files.write(`${path}/a`, 'text')
    await sandbox.files.remove(`${path}/a`)
    let all: NonNullable<Awaited<ReturnType<typeof rpc>>['events']> = []
    await expect
      .poll(async () => {
        all = [...all, ...((await rpc('GetWatcherEvents', { watcherId })).events ?? [])]
        return all.at(-1)
      })
      .toMatchObject({ type: 'EVENT_TYPE_REMOVE', name: 'a' })
    return all
  }

  test('includeEntry gives the entry where it is there still, and none for removal', async () => {
    const all = await events({ path: '/home/user/entries', includeEntry: true })
    expect(all.at(-1)!.entry).toBeUndefined()
    const { watcherId } = await rpc('CreateWatcher', { path: '/home/user/entries', includeEntry: true })
    await sandbox.files.write('/home/user/entries/kept', 'text')
    await expect
      .poll(async () => (await rpc('GetWatcherEvents', { watcherId })).events?.[0])
      .toMatchObject({ entry: { path: '/home/user/entries/kept', owner: 'user' } })
  })

  test('without includeEntry there is none', async () => {
    expect((await events({ path: '/home/user/bare' })).every(({ entry }) => entry === undefined)).toBe(true)
  })
})

describe('refusals and polling', () => {
  test('a missing folder is not found', async () => {
    await expect(sandbox.files.watchDir('nowhere', () => undefined)).rejects.toThrow(FileNotFoundError)
  })

  test('a file is refused', async () => {
    await sandbox.files.write('plain', '')
    await expect(sandbox.files.watchDir('plain', () => undefined)).rejects.toThrow(/not a directory/)
  })

  test('a polled watcher gives the events since the last call, until it is removed', async () => {
    await sandbox.files.makeDir('polled')
    const { watcherId } = await rpc('CreateWatcher', { path: 'polled' })
    await sandbox.files.write('polled/a', 'text')
    let all: string[] = []
    await expect
      .poll(async () => {
        const { events = [] } = await rpc('GetWatcherEvents', { watcherId })
        all = [...all, ...events.map(({ name, type }) => `${type} ${name}`)]
        return all
      })
      .toEqual(expect.arrayContaining(['EVENT_TYPE_CREATE a', 'EVENT_TYPE_WRITE a']))
    expect(await rpc('GetWatcherEvents', { watcherId })).toEqual({})
    expect(await rpc('RemoveWatcher', { watcherId })).toEqual({})
    expect(await rpc('GetWatcherEvents', { watcherId })).toMatchObject({ code: 'not_found' })
  })

  test('an uploaded new file is told as made, given to the user and written, by the time of the answer', async () => {
    await sandbox.files.makeDir('counted')
    const { watcherId } = await rpc('CreateWatcher', { path: 'counted' })
    await sandbox.files.write('counted/a', 'text')
    const { events = [] } = await rpc('GetWatcherEvents', { watcherId })
    expect(events.map(({ name }) => name)).toEqual(['a', 'a', 'a'])
    expect([events[0]?.type, events[2]?.type]).toEqual(['EVENT_TYPE_CREATE', 'EVENT_TYPE_WRITE'])
  })

  test('a polled watcher left unread says so instead of growing', async () => {
    await sandbox.files.makeDir('flood')
    const { watcherId } = await rpc('CreateWatcher', { path: 'flood' })
    await sandbox.commands.run('seq 1 10050 | (cd flood && xargs touch)')
    await expect
      .poll(() => rpc('GetWatcherEvents', { watcherId }))
      .toMatchObject({ code: 'resource_exhausted' })
    await rpc('RemoveWatcher', { watcherId })
  })
})

// The JS client streams only; the sync Python client polls.
async function rpc(method: string, body: object) {
  const { envdAccessToken } = (await (
    await fetch(`${server.apiUrl}/sandboxes/${sandbox.sandboxId}`, {
      headers: { 'x-api-key': server.apiKey },
    })
  ).json()) as { envdAccessToken: string }
  const response = await fetch(`${server.sandboxUrl}/filesystem.Filesystem/${method}`, {
    method: 'POST',
    headers: {
      'e2b-sandbox-id': sandbox.sandboxId,
      'e2b-sandbox-port': '49983',
      'x-access-token': envdAccessToken,
      'content-type': 'application/json',
      'connect-protocol-version': '1',
    },
    body: JSON.stringify(body),
  })
  return (await response.json()) as {
    watcherId?: string
    events?: { name: string; type: string; entry?: object }[]
    code?: string
  }
}
