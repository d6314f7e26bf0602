import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLEAN_GIT_ENV } from '../../src/demo/git.ts'
import { EDGE_CASE_PATCH, FIX_PATCH } from '../../src/demo/fix.ts'
import { createDemoRepository } from '../../src/demo/repository.ts'
import { type TestGitHost, testGitHost } from '../support/git-host.ts'

let host: TestGitHost
let work: string

beforeAll(async () => {
  host = await testGitHost()
  work = await mkdtemp(join(tmpdir(), 'holdfast-clone-'))
})

afterAll(async () => {
  await host.cleanUp()
  await rm(work, { recursive: true, force: true })
})

const IDENTITY = ['-c', 'user.name=Test', '-c', 'user.email=test@holdfast.invalid']

async function run(cwd: string, args: string[], input?: string) {
  return execa('git', [...IDENTITY, ...args], {
    cwd,
    env: CLEAN_GIT_ENV,
    reject: false,
    ...(input ? { input } : {}),
  })
}

async function clone(name: string, folder: string, ...options: string[]): Promise<string> {
  const target = join(work, folder)
  const { exitCode, stderr } = await run(work, ['clone', '--quiet', ...options, host.urlWith(name), target])
  expect(stderr).toBe('')
  expect(exitCode).toBe(0)
  return target
}

async function commitFile(folder: string, name: string, content: string): Promise<string> {
  await writeFile(join(folder, name), content)
  await run(folder, ['add', '-A'])
  expect((await run(folder, ['commit', '--quiet', '-m', `add ${name}`])).exitCode).toBe(0)
  return (await run(folder, ['rev-parse', 'HEAD'])).stdout
}

describe('the git host', () => {
  test('a clone holds the whole history, and a push lands in the bare repository', async () => {
    const { headSha } = await host.demo('acme/push')
    const folder = await clone('acme/push', 'push')
    expect((await run(folder, ['rev-list', '--count', 'HEAD'])).stdout).toBe('4')
    expect((await run(folder, ['rev-parse', 'HEAD'])).stdout).toBe(headSha)

    const sha = await commitFile(folder, 'new.txt', 'hello\n')
    expect((await run(folder, ['push', '--quiet', 'origin', 'HEAD:refs/heads/work'])).exitCode).toBe(0)
    expect(await host.branchHead('acme/push', 'work')).toBe(sha)
    expect(await host.branchHead('acme/push', 'main')).toBe(headSha)
    expect(await host.branchHead('acme/push', 'none')).toBeUndefined()
  })

  test('a shallow and a partial clone are served', async () => {
    await host.demo('acme/shallow')
    const shallow = await clone('acme/shallow', 'shallow', '--depth', '1')
    expect((await run(shallow, ['rev-list', '--count', 'HEAD'])).stdout).toBe('1')
    const partial = await clone('acme/shallow', 'partial', '--filter=blob:none', '--no-checkout')
    const missing = await run(partial, ['rev-list', '--objects', '--all', '--missing=print'])
    expect(missing.stdout).toMatch(/^\?[0-9a-f]{40}$/m)
  })

  test('8 MB that do not compress arrive whole, though sent in chunks', async () => {
    await host.demo('acme/large')
    const folder = await clone('acme/large', 'large')
    const bytes = new Uint8Array(8 * 1024 * 1024)
    for (let i = 0; i < bytes.length; i += 65536) crypto.getRandomValues(bytes.subarray(i, i + 65536))
    await writeFile(join(folder, 'large.bin'), bytes)
    await run(folder, ['add', '-A'])
    await run(folder, ['commit', '--quiet', '-m', 'large'])
    const pushed = await run(folder, ['push', '--quiet', 'origin', 'HEAD:refs/heads/large'])
    expect(pushed.exitCode).toBe(0)
    const again = await clone('acme/large', 'large-again', '--branch', 'large')
    expect(Buffer.compare(await readFile(join(again, 'large.bin')), bytes)).toBe(0)
  })

  test('a gzip-compressed request of protocol version 2 is understood', async () => {
    const { headSha } = await host.demo('acme/gzip')
    const response = await fetch(`${host.repoUrl('acme/gzip')}/git-upload-pack`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`me:${host.token}`).toString('base64')}`,
        'content-type': 'application/x-git-upload-pack-request',
        'content-encoding': 'gzip',
        'git-protocol': 'version=2',
      },
      body: gzipSync('0014command=ls-refs\n0000'),
    })
    expect(response.status).toBe(200)
    expect(await response.text()).toContain(`${headSha} refs/heads/main`)
  })

  test('a wrong token is refused with 401', async () => {
    await host.demo('acme/auth')
    const refused = await run(work, ['ls-remote', host.urlWith('acme/auth', 'wrong')])
    expect(refused.exitCode).toBe(128)
    expect(refused.stderr).toContain('Authentication failed')
    const response = await fetch(`${host.repoUrl('acme/auth')}/info/refs?service=git-upload-pack`, {
      headers: { authorization: `Basic ${Buffer.from('me:wrong').toString('base64')}` },
    })
    expect(response.status).toBe(401)
  })

  test('a missing token is refused with 401 that asks for Basic', async () => {
    const response = await fetch(`${host.repoUrl('acme/auth')}/info/refs?service=git-upload-pack`)
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toMatch(/^Basic realm=/)
  })

  test('any user name goes with the right token', async () => {
    await host.demo('acme/user')
    const url = host.repoUrl('acme/user').replace('://', `://x-access-token:${host.token}@`)
    expect((await run(work, ['ls-remote', url])).stdout).toContain('refs/heads/main')
  })

  test('the read-only token fetches, and its push is refused with 403', async () => {
    await host.demo('acme/read')
    const folder = await clone('acme/read', 'read')
    const readOnly = host.urlWith('acme/read', host.readOnlyToken)
    expect((await run(folder, ['fetch', '--quiet', readOnly])).exitCode).toBe(0)
    await commitFile(folder, 'new.txt', 'hello\n')
    const pushed = await run(folder, ['push', readOnly, 'HEAD:refs/heads/work'])
    expect(pushed.exitCode).not.toBe(0)
    expect(pushed.stderr).toContain('403')
    expect(await host.branchHead('acme/read', 'work')).toBeUndefined()
  })

  test.each(['acme/none', 'acme/../auth', '.new-repository-x'])(
    'an unknown repository (%s) is 404',
    async (name) => {
      const authorization = `Basic ${Buffer.from(`me:${host.token}`).toString('base64')}`
      const response = await fetch(`${host.url}/${name}.git/info/refs?service=git-upload-pack`, {
        headers: { authorization },
      })
      expect(response.status).toBe(404)
      expect(await response.text()).toBe('repository not found\n')
    },
  )

  test("git's own message for an unknown repository says so", async () => {
    const refused = await run(work, ['ls-remote', host.urlWith('acme/none')])
    expect(refused.exitCode).toBe(128)
    expect(refused.stderr).toContain('not found')
  })

  test('a pre-receive hook rejects a push and its message reaches the client', async () => {
    await host.demo('acme/hook')
    await host.rejectPushes('acme/hook', "main is protected: don't push", 'main')
    const folder = await clone('acme/hook', 'hook')
    await commitFile(folder, 'new.txt', 'hello\n')
    const refused = await run(folder, ['push', 'origin', 'HEAD:main'])
    expect(refused.exitCode).not.toBe(0)
    expect(refused.stderr).toContain("main is protected: don't push")
    expect(refused.stderr).toContain('pre-receive hook declined')
    expect((await run(folder, ['push', '--quiet', 'origin', 'HEAD:refs/heads/work'])).exitCode).toBe(0)
  })

  test('pushes at the same time all land', async () => {
    await host.demo('acme/parallel')
    const names = Array.from({ length: 4 }, (_, i) => `parallel-${i}`)
    const shas = await Promise.all(
      names.map(async (name) => commitFile(await clone('acme/parallel', name), `${name}.txt`, name)),
    )
    const pushed = await Promise.all(
      names.map((name) => run(join(work, name), ['push', '--quiet', 'origin', `HEAD:refs/heads/${name}`])),
    )
    expect(pushed.map(({ exitCode }) => exitCode)).toEqual(names.map(() => 0))
    expect(await Promise.all(names.map((name) => host.branchHead('acme/parallel', name)))).toEqual(shas)
  })

  test('of two pushes to one branch the one that is not a fast-forward is refused', async () => {
    await host.demo('acme/race')
    const [a, b] = [await clone('acme/race', 'race-a'), await clone('acme/race', 'race-b')]
    const shas = [await commitFile(a, 'a.txt', 'a'), await commitFile(b, 'b.txt', 'b')]
    const pushed = await Promise.all([a, b].map((folder) => run(folder, ['push', 'origin', 'HEAD:main'])))
    expect(pushed.filter(({ exitCode }) => exitCode === 0)).toHaveLength(1)
    const winner = pushed.findIndex(({ exitCode }) => exitCode === 0)
    expect(await host.branchHead('acme/race', 'main')).toBe(shas[winner])
  })

  test('stop ends it while a request is half sent', async () => {
    const other = await testGitHost()
    await other.demo('acme/half')
    const authorization = `Basic ${Buffer.from(`me:${other.token}`).toString('base64')}`
    let sent: ReadableStreamDefaultController<Uint8Array>
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (sent = controller) })
    sent!.enqueue(new TextEncoder().encode('0000'))
    const request = fetch(`${other.repoUrl('acme/half')}/git-receive-pack`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/x-git-receive-pack-request' },
      body,
      duplex: 'half',
    })
    await Promise.all([
      expect(request.then((response) => response.text())).rejects.toThrow(),
      other.cleanUp(),
    ])
    await expect(fetch(other.url)).rejects.toThrow()
  })
})

describe('the demo repository', () => {
  async function runTests(folder: string): Promise<{ pass: number; fail: number; failed: string[] }> {
    const { stdout } = await execa(process.execPath, ['--test', '--test-reporter=tap'], {
      cwd: folder,
      reject: false,
      env: { NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: undefined, VITEST: undefined },
    })
    const count = (name: string) => Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(stdout)?.[1])
    return {
      pass: count('pass'),
      fail: count('fail'),
      failed: [...stdout.matchAll(/^not ok \d+ - (.*)$/gm)].map(([, name]) => name!),
    }
  }

  test('exactly one test fails, it passes after the fix, and the reviewer’s patch applies on top', async () => {
    await host.demo('acme/fix')
    const folder = await clone('acme/fix', 'fix')
    const carry = 'carries a unit that rounds up to a whole larger one'
    expect(await runTests(folder)).toEqual({ pass: 9, fail: 1, failed: [carry] })

    expect(await run(folder, ['apply', '-'], FIX_PATCH)).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await runTests(folder)).toEqual({ pass: 10, fail: 0, failed: [] })

    expect(await run(folder, ['apply', '-'], EDGE_CASE_PATCH)).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await runTests(folder)).toEqual({ pass: 11, fail: 0, failed: [] })
  })

  test('the reviewer’s edge case fails without the fix', async () => {
    await host.demo('acme/edge')
    const folder = await clone('acme/edge', 'edge')
    expect((await run(folder, ['apply', '-'], EDGE_CASE_PATCH)).exitCode).toBe(0)
    expect((await runTests(folder)).fail).toBe(2)
  })

  test('made anew it has the same commit id; made again it is kept; made twice at once it is made once', async () => {
    const [one, two] = await Promise.all([host.demo('acme/twice'), host.demo('acme/twice')])
    expect(two).toEqual(one)
    expect((await host.demo('acme/same')).headSha).toBe(one.headSha)
    const folder = await clone('acme/twice', 'twice')
    const sha = await commitFile(folder, 'kept.txt', 'kept')
    await run(folder, ['push', '--quiet', 'origin', 'HEAD:main'])
    expect((await host.demo('acme/twice')).headSha).toBe(sha)
    expect((await host.git('acme/twice', ['fsck', '--strict'])).trim()).toBe('')
  })

  test('a name that leaves the root is refused', async () => {
    await expect(createDemoRepository({ root: host.root, name: '../out' })).rejects.toThrow('name: "../out"')
  })
})
