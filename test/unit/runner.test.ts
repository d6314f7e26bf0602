import { execFileSync, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CANNOT_START, cancelCommand, FORGOTTEN, listCommand } from '../../src/activities/lib/runner.ts'
import type { Trailer } from '../../src/activities/lib/trailer.ts'
import { type Attachment, attach } from '../support/runner.ts'

let home: string
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'holdfast-runner-'))
})
afterAll(() => rm(home, { recursive: true, force: true }))

const id = (): string => randomUUID().slice(0, 12)

async function exited(attachment: Attachment): Promise<Trailer & { kind: 'exited' }> {
  const trailer = await attachment.trailer
  if (trailer?.kind !== 'exited')
    throw new Error(`expected an exit, got ${JSON.stringify(trailer)} ${attachment.stderr()}`)
  return trailer
}

test('a command that exits gives its code and both outputs', async () => {
  const attachment = attach(home, { commandId: id(), script: 'echo out; echo err >&2; exit 3' })
  const trailer = await exited(attachment)
  expect(trailer).toMatchObject({ exitCode: 3, timedOut: false })
  expect(trailer.stdout).toEqual({ head: 'out\n', tail: '', bytes: 4 })
  expect(trailer.stderr).toEqual({ head: 'err\n', tail: '', bytes: 4 })
  expect(attachment.stdout()).toBe('out\n')
  expect(attachment.stderr()).toBe('err\n')
})

test('output without a final newline arrives as it is', async () => {
  const attachment = attach(home, { commandId: id(), script: 'printf no-newline' })
  expect((await exited(attachment)).stdout.head).toBe('no-newline')
  expect(attachment.stdout()).toBe('no-newline')
})

test('launched twice at once, a command runs once and both see its end', async () => {
  const commandId = id()
  const script = `echo ran >>"${home}/${commandId}.count"; sleep 0.3; echo done`
  const both = [attach(home, { commandId, script }), attach(home, { commandId, script })]
  for (const attachment of both) expect((await exited(attachment)).stdout.head).toBe('done\n')
  expect(await readFile(`${home}/${commandId}.count`, 'utf8')).toBe('ran\n')
})

test('after its follower was killed the command goes on, and the next follower reads from its offset', async () => {
  const commandId = id()
  const script = `echo one; until [ -e "${home}/${commandId}.go" ]; do sleep 0.02; done; echo two`
  const first = attach(home, { commandId, script })
  await first.until('one')
  first.lose()
  await first.trailer
  await writeFile(`${home}/${commandId}.go`, '')
  const second = attach(home, { commandId, script, stdoutOffset: 4 })
  expect((await exited(second)).stdout.head).toBe('one\ntwo\n')
  expect(second.stdout()).toBe('two\n')
})

test('a finished command attached again gives the same result without running', async () => {
  const commandId = id()
  const script = `echo x >>"${home}/${commandId}.count"; exit 5`
  const first = await exited(attach(home, { commandId, script }))
  expect(await exited(attach(home, { commandId, script }))).toEqual({ ...first, streamed: true })
  // An earlier runner left the times to the files.
  await writeFile(`${home}/commands/${commandId}/exit`, '5 0\n')
  const ofEarlier = await exited(attach(home, { commandId, script }))
  expect(ofEarlier).toMatchObject({ exitCode: 5, timedOut: false })
  expect(Date.now() - ofEarlier.finishedAt).toBeLessThan(60_000)
  expect(await readFile(`${home}/${commandId}.count`, 'utf8')).toBe('x\n')
})

test('a finished command that is forgotten leaves no folder, and is not run again by any way to it', async () => {
  const [commandId, running] = [id(), id()]
  const script = `echo x >>"${home}/${commandId}.count"`
  await exited(attach(home, { commandId, script }))
  const started = attach(home, { commandId: running, script: 'sleep 60', mode: 'start' })
  expect(await started.trailer).toMatchObject({ kind: 'running' })
  await exited(attach(home, { commandId: id(), script: 'true', forget: [commandId, running, 'none'] }))
  expect(existsSync(`${home}/commands/${commandId}`)).toBe(false)
  expect(existsSync(`${home}/commands/${running}`)).toBe(true)
  const ways = [
    {},
    { repeatable: true },
    { mustBeThere: true },
    { mode: 'start' },
    { mode: 'attach' },
  ] as const
  const again = ways.map((way) => attach(home, { commandId, script, ...way }).code)
  expect(await Promise.all(again)).toEqual(ways.map(() => FORGOTTEN))
  expect(await readFile(`${home}/${commandId}.count`, 'utf8')).toBe('x\n')
  expect(existsSync(`${home}/commands/${commandId}`)).toBe(false)
  execFileSync('bash', ['-c', cancelCommand(home, running, 1_000)])
})

test('a long output is kept as head and tail with its size', async () => {
  const trailer = await exited(attach(home, { commandId: id(), script: 'seq 1 10000' }))
  expect(trailer.stdout.bytes).toBe(48_894)
  expect(trailer.stdout.head.startsWith('1\n2\n')).toBe(true)
  expect(trailer.stdout.tail.endsWith('9999\n10000\n')).toBe(true)
  expect(Buffer.byteLength(trailer.stdout.head + trailer.stdout.tail)).toBe(4096 + 8192)
})

test('at its timeout a command and its children are ended, with 124 and the output so far', async () => {
  const commandId = id()
  const script = `echo begun; sleep 987 & echo $! >"${home}/${commandId}.pid"; wait`
  const trailer = await exited(attach(home, { commandId, script, timeoutMs: 300 }))
  expect(trailer).toMatchObject({ exitCode: 124, timedOut: true })
  expect(trailer.stdout.head).toBe('begun\n')
  const child = (await readFile(`${home}/${commandId}.pid`, 'utf8')).trim()
  expect(isRunning(child)).toBe(false)
})

test('only commands that run are listed, with their command line', async () => {
  const own = join(home, 'listing')
  const ended = attach(own, { commandId: id(), cwd: home, script: 'true' })
  await exited(ended)
  const commandId = id()
  const script = `echo begun; until [ -e "${home}/${commandId}.go" ]; do sleep 0.02; done`
  const running = attach(own, { commandId, cwd: home, script })
  await running.until('begun')
  const list = (): string => execFileSync('bash', ['-c', listCommand(own)], { encoding: 'utf8' })
  // It may print before the supervisor has noted its group.
  await expect.poll(list).not.toBe('')
  expect(list()).toMatch(new RegExp(`^${commandId} \\d+ bash -c `))
  expect(list().endsWith(`${script} \0`)).toBe(true)
  await writeFile(`${home}/${commandId}.go`, '')
  await exited(running)
  expect(list()).toBe('')
})

test('a cancelled command that ignores SIGTERM is killed after the grace, and says so by its exit code', async () => {
  const commandId = id()
  const attachment = attach(home, {
    commandId,
    script: `trap '' TERM; echo up; while :; do sleep 0.05; done`,
  })
  await attachment.until('up')
  const cancel = spawn('/bin/bash', ['-c', cancelCommand(home, commandId, 300)])
  await new Promise((resolve) => cancel.on('close', resolve))
  expect((await exited(attachment)).exitCode).toBe(137)
})

test('a cancellation that comes before its command has begun ends it', async () => {
  const commandId = id()
  const cancel = spawn('/bin/bash', ['-c', cancelCommand(home, commandId, 300, 10_000)])
  const cancelled = new Promise<string>((resolve) =>
    cancel.stdout.once('data', (text) => resolve(String(text))),
  )
  const attachment = attach(home, { commandId, script: 'sleep 60' })
  expect((await exited(attachment)).exitCode).toBe(143)
  expect(await cancelled).toBe('killed\n')
})

test('a supervisor that died without a record makes the outcome unknown, and nothing runs again', async () => {
  const commandId = id()
  const script = `echo x >>"${home}/${commandId}.count"; echo up; sleep 60`
  const attachment = attach(home, { commandId, script })
  await attachment.until('up')
  await expect.poll(() => existsSync(`${home}/commands/${commandId}/child`)).toBe(true)
  const [supervisor] = (await readFile(`${home}/commands/${commandId}/pid`, 'utf8')).split(' ')
  const command = (await readFile(`${home}/commands/${commandId}/child`, 'utf8')).trim()
  process.kill(Number(supervisor), 'SIGKILL')
  process.kill(-Number(command), 'SIGKILL')
  expect(await attachment.trailer).toMatchObject({ kind: 'unknown', stdout: { head: 'up\n' } })
  expect(await attach(home, { commandId, script }).trailer).toMatchObject({ kind: 'unknown' })
  expect(await readFile(`${home}/${commandId}.count`, 'utf8')).toBe('x\n')
})

test('a repeatable command that failed runs again, one that succeeded does not', async () => {
  const commandId = id()
  const script = `echo x >>"${home}/${commandId}.count"; [ -e "${home}/${commandId}.ok" ]`
  const again = (): Promise<Trailer & { kind: 'exited' }> =>
    exited(attach(home, { commandId, script, repeatable: true }))
  expect((await again()).exitCode).toBe(1)
  await writeFile(`${home}/${commandId}.ok`, '')
  expect((await again()).exitCode).toBe(0)
  expect((await again()).exitCode).toBe(0)
  expect(await readFile(`${home}/${commandId}.count`, 'utf8')).toBe('x\nx\n')
})

test('where the folder of the runner can not be written nothing starts, and its own exit code says so', async () => {
  await writeFile(`${home}/a-file`, '')
  const attachment = attach(home, {
    home: `${home}/a-file`,
    commandId: id(),
    script: `echo ran >"${home}/ran"`,
  })
  expect(await attachment.trailer).toBeUndefined()
  expect(await attachment.code).toBe(CANNOT_START)
  expect(existsSync(`${home}/ran`)).toBe(false)
})

test('a working folder that is missing gives 126 and names it', async () => {
  const trailer = await exited(attach(home, { commandId: id(), script: 'true', cwd: `${home}/nowhere` }))
  expect(trailer.exitCode).toBe(126)
  expect(trailer.stderr.head).toContain('nowhere')
})

test('a command finds its environment and its bytes as they are, whatever the login profile has set', async () => {
  const profile = join(home, 'profile')
  await mkdir(profile)
  await writeFile(
    join(profile, '.bash_profile'),
    `set -euC -o pipefail; IFS=:; trap 'echo trapped' EXIT; cd() { false; }; shopt -s nullglob failglob`,
  )
  const names = ['d', 'n', 'cmd', 'mode', 'out', 'code', 'home', 'LC_ALL']
  const env = Object.fromEntries(names.map((name) => [name, `own ${name}`]))
  const script = `printf '%s,' ${names.map((name) => `"$${name}"`).join(' ')}; printf 'a\\0b\\377\\342\\234'; false; exit 3`
  const attachment = attach(home, { commandId: id(), script, env: { ...env, HOME: profile } })
  const { exitCode, stdout } = await exited(attachment)
  const expected = `${names.map((name) => `own ${name},`).join('')}a\0b\ufffd\ufffd`
  expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: { head: expected, tail: '', bytes: 72 } })
})

test('a command that is stopped for a while is waited for', async () => {
  const script = `(sleep 0.3; kill -s CONT $$) & kill -s STOP $$; echo on; exit 4`
  const attachment = attach(home, { commandId: id(), script })
  expect(await exited(attachment)).toMatchObject({ exitCode: 4, stdout: { head: 'on\n' } })
})

test('an environment value is seen by the command and is in no file of the runner', async () => {
  const commandId = id()
  const value = randomUUID()
  process.env.HOLDFAST_TEST_VALUE = value
  const trailer = await exited(
    attach(home, { commandId, script: '[ -n "$HOLDFAST_TEST_VALUE" ] && echo seen' }),
  )
  delete process.env.HOLDFAST_TEST_VALUE
  expect(trailer.stdout.head).toBe('seen\n')
  for (const file of ['pid', 'child', 'exit', 'stdout', 'stderr'])
    expect(await readFile(`${home}/commands/${commandId}/${file}`, 'utf8')).not.toContain(value)
})

/** A zombie that its parent hasn't reaped yet doesn't run any more. */
const isRunning = (pid: string): boolean =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
