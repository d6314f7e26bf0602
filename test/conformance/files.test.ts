import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { basename, join } from 'node:path'
import { AuthenticationError, FileNotFoundError, FileType, InvalidArgumentError, Sandbox } from 'e2b'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { descendants } from '../../src/local-sandbox/isolation/processes.ts'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

let server: SandboxServer
let sandbox: Sandbox
beforeAll(async () => {
  server = await startSandboxServer()
  sandbox = await Sandbox.create({ ...server.connection, timeoutMs: 300_000 })
})
afterAll(() => server.stop())

describe('write and read', () => {
  test('a text is read back, and its folders are made', async () => {
    const info = await sandbox.files.write('deep/er/file.txt', 'häßlich')
    expect(info).toMatchObject({ name: 'file.txt', path: '/home/user/deep/er/file.txt' })
    expect(await sandbox.files.read('deep/er/file.txt')).toBe('häßlich')
    expect((await sandbox.commands.run('stat -c "%U %G %a" deep/er deep/er/file.txt')).stdout).toBe(
      'user user 755\nuser user 644\n',
    )
  })

  test('5 MB of random bytes come back the same', async () => {
    const bytes = randomBytes(5_000_000)
    await sandbox.files.write('/tmp/big', new Blob([bytes]))
    const back = await sandbox.files.read('/tmp/big', { format: 'bytes' })
    expect(Buffer.compare(Buffer.from(back), bytes)).toBe(0)
  })

  test('an empty file stays empty', async () => {
    await sandbox.files.write('empty', '')
    expect(await sandbox.files.read('empty')).toBe('')
  })

  test('several files go in one call', async () => {
    const written = await sandbox.files.write([
      { path: 'many/a', data: 'A' },
      { path: '/tmp/many/b', data: 'B' },
    ])
    expect(written.map(({ path }) => path)).toEqual(['/home/user/many/a', '/tmp/many/b'])
    expect([await sandbox.files.read('many/a'), await sandbox.files.read('/tmp/many/b')]).toEqual(['A', 'B'])
  })

  test.each([[true], [false]])('octet-stream with gzip %s stores the same bytes', async (gzip) => {
    await sandbox.files.write('octets', 'x'.repeat(10_000), { useOctetStream: true, gzip })
    expect(await sandbox.files.read('octets', { gzip })).toBe('x'.repeat(10_000))
  })

  test('an overwritten file has the new content alone', async () => {
    await sandbox.files.write('over', 'a long first text')
    await sandbox.files.write('over', 'short')
    expect(await sandbox.files.read('over')).toBe('short')
  })

  test.each([[true], [false]])(
    'an upload as a user there is not is refused, octet-stream %s',
    async (useOctetStream) => {
      const refused = sandbox.files.write('nobodys', 'x', { user: 'stranger', useOctetStream })
      await expect(refused).rejects.toThrow(AuthenticationError)
      expect(await sandbox.isRunning()).toBe(true)
    },
  )

  test('reading what is missing is FileNotFoundError, a folder is an argument error', async () => {
    await expect(sandbox.files.read('missing')).rejects.toThrow(FileNotFoundError)
    await expect(sandbox.files.read('/tmp')).rejects.toThrow(InvalidArgumentError)
  })
})

/** Names of the files that processes of the sandbox have open, as the host sees it. */
function openFiles(): string[] {
  const record = readFileSync(join(server.dataDir, 'records', `${sandbox.sandboxId}.json`), 'utf8')
  const { pid } = (JSON.parse(record) as { process: { pid: number } }).process
  return descendants(pid).flatMap(({ pid }) => {
    const folder = `/proc/${pid}/fd`
    return readdirSync(folder).map((fd) => basename(readlinkSync(join(folder, fd))))
  })
}

describe('raw HTTP', () => {
  const envdHeaders = () => ({
    'E2b-Sandbox-Id': sandbox.sandboxId,
    'E2b-Sandbox-Port': '49983',
    'X-Access-Token': (sandbox as unknown as { envdAccessToken: string }).envdAccessToken,
  })
  const call = (
    path: string,
    init: { method?: string; body?: string; headers?: Record<string, string> } = {},
  ) =>
    fetch(`${server.sandboxUrl}/files?path=${encodeURIComponent(path)}`, {
      ...init,
      headers: {
        ...envdHeaders(),
        ...init.headers,
      },
    })

  test('a range answers 206 with just those bytes', async () => {
    await sandbox.files.write('range', '0123456789')
    const answer = await call('range', { headers: { range: 'bytes=2-4' } })
    expect([answer.status, await answer.text()]).toEqual([206, '234'])
  })

  test('gzip is used where accepted, identity otherwise, 406 where neither is', async () => {
    await sandbox.files.write('encoded', 'text')
    const encoding = async (accept: string) => {
      const answer = await call('encoded', { headers: { 'accept-encoding': accept } })
      return [answer.status, answer.headers.get('content-encoding')]
    }
    expect(await encoding('gzip, deflate')).toEqual([200, 'gzip'])
    expect(await encoding('identity')).toEqual([200, null])
    expect(await encoding('br, identity;q=0, gzip;q=0')).toEqual([406, null])
  })

  test('a large file that gzip makes no smaller is read whole, and long before the client gives up', async () => {
    const { stdout } = await sandbox.commands.run('head -c 48M /dev/urandom | tee large | sha256sum')
    const bytes = await sandbox.files.read('large', { format: 'bytes', requestTimeoutMs: 120_000 })
    expect(`${createHash('sha256').update(bytes).digest('hex')}  -\n`).toBe(stdout)
  })

  test.each([
    ['a type that is neither', { 'content-type': 'text/plain' }, 'x', 400],
    [
      'multipart cut off',
      { 'content-type': 'multipart/form-data; boundary=b' },
      '--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\ncut',
      400,
    ],
    ['multipart without a boundary', { 'content-type': 'multipart/form-data' }, 'x', 400],
    [
      'gzip that is none',
      { 'content-type': 'application/octet-stream', 'content-encoding': 'gzip' },
      'x',
      400,
    ],
  ])('an upload with %s is refused, and the sandbox goes on', async (_name, headers, body, status) => {
    const answer = await call('refused', { method: 'POST', headers, body })
    expect(answer.status).toBe(status)
    expect(await sandbox.isRunning()).toBe(true)
  })

  test('a multipart upload that its client cuts off leaves no file open', async () => {
    const headers = { ...envdHeaders(), 'content-type': 'multipart/form-data; boundary=b' }
    const upload = httpRequest(`${server.sandboxUrl}/files`, { method: 'POST', headers, agent: false })
    upload.on('error', () => undefined)
    upload.write('--b\r\ncontent-disposition: form-data; name="file"; filename="cut-off"\r\n\r\ncut')
    await expect.poll(openFiles).toContain('cut-off')
    upload.destroy()
    await expect.poll(openFiles).not.toContain('cut-off')
    await sandbox.files.write('cut-off', 'whole')
    expect(await sandbox.files.read('cut-off')).toBe('whole')
  })

  test('composing joins files in the order given and removes them; a missing one leaves all as it was', async () => {
    await sandbox.files.write('part-1', 'one,')
    await sandbox.files.write('part-2', 'two')
    const compose = (names: string[]) =>
      fetch(`${server.sandboxUrl}/files/compose`, {
        method: 'POST',
        headers: envdHeaders(),
        body: JSON.stringify({ source_paths: names, destination: 'joined/all' }),
      })
    expect((await compose(['part-1', 'part-3'])).status).toBe(404)
    expect(await sandbox.files.list('joined')).toEqual([])
    expect(await (await compose(['part-2', 'part-1'])).json()).toEqual({
      name: 'all',
      path: '/home/user/joined/all',
      type: 'file',
    })
    expect(await sandbox.files.read('joined/all')).toBe('twoone,')
    expect(await sandbox.files.exists('part-1')).toBe(false)
  })

  test('without token and signature files are refused with 401', async () => {
    const answer = await call('range', { headers: { 'X-Access-Token': 'wrong' } })
    expect(answer.status).toBe(401)
  })

  test('the platform paths of envd are 404', async () => {
    const answer = await fetch(`${server.sandboxUrl}/init`, {
      method: 'POST',
      headers: { 'E2b-Sandbox-Id': sandbox.sandboxId, 'E2b-Sandbox-Port': '49983' },
    })
    expect(answer.status).toBe(404)
  })
})

describe('signed URLs', () => {
  test('a signed URL reads and writes without any header', async () => {
    const uploadUrl = await sandbox.uploadUrl('signed.txt')
    const form = new FormData()
    form.append('file', new Blob(['by url']), 'signed.txt')
    expect((await fetch(uploadUrl, { method: 'POST', body: form })).status).toBe(200)
    const downloadUrl = await sandbox.downloadUrl('signed.txt', { useSignatureExpiration: 60 })
    expect(await (await fetch(downloadUrl)).text()).toBe('by url')
  })

  test('a changed signature is refused with 401', async () => {
    const url = (await sandbox.downloadUrl('signed.txt')).replace('signature=v1_', 'signature=v1_A')
    expect((await fetch(url)).status).toBe(401)
  })
})

describe('filesystem calls', () => {
  test('a folder is made once', async () => {
    expect(await sandbox.files.makeDir('made/below')).toBe(true)
    expect(await sandbox.files.makeDir('made/below')).toBe(false)
  })

  test('lists go as deep as asked, in order', async () => {
    await sandbox.commands.run('mkdir -p tree/b/c && touch tree/a tree/b/1 tree/b/c/2')
    const names = async (depth?: number) =>
      (await sandbox.files.list('tree', { depth })).map(({ path }) => path.slice('/home/user/tree/'.length))
    expect(await names()).toEqual(['a', 'b'])
    expect(await names(2)).toEqual(['a', 'b', 'b/1', 'b/c'])
    expect(await names(9)).toEqual(['a', 'b', 'b/1', 'b/c', 'b/c/2'])
  })

  test('a link reports its target, a dangling one is left out of lists', async () => {
    await sandbox.commands.run(
      'mkdir links && cd links && echo x > target && ln -s target good && ln -s nowhere bad',
    )
    const good = await sandbox.files.getInfo('links/good')
    expect(good).toMatchObject({ type: FileType.FILE, symlinkTarget: '/home/user/links/target' })
    expect(good.permissions).toMatch(/^L/)
    expect((await sandbox.files.list('links')).map(({ name }) => name)).toEqual(['good', 'target'])
  })

  test('move, exists and remove', async () => {
    await sandbox.files.write('from', 'x')
    expect(await sandbox.files.rename('from', 'new/place')).toMatchObject({ path: '/home/user/new/place' })
    expect([await sandbox.files.exists('from'), await sandbox.files.exists('new/place')]).toEqual([
      false,
      true,
    ])
    await sandbox.files.remove('new')
    expect(await sandbox.files.exists('new/place')).toBe(false)
    await expect(sandbox.files.rename('from', 'elsewhere')).rejects.toThrow(FileNotFoundError)
  })
})
