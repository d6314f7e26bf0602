import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { type IPty, spawn } from '@lydell/node-pty'
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest'
import type { Session } from '../../src/index.ts'
import { type Holdfast, startHoldfast } from '../support/holdfast.ts'
import { startProgram } from '../support/program.ts'

const BIN = fileURLToPath(new URL('../../bin/holdfast.mjs', import.meta.url))

let holdfast: Holdfast
let session: Session
beforeAll(async () => {
  holdfast = await startHoldfast()
  await holdfast.startWorker()
  session = await holdfast.jobs.sessions.open(`terminal-${randomUUID()}`, { idleTimeout: '1s' })
})
afterAll(async () => {
  await session.close()
  await holdfast.stop()
})

const words = (...args: string[]): string[] => [
  'session',
  '--address',
  inject('temporalAddress'),
  'exec',
  '-it',
  session.id,
  ...args,
]

const settings = (): Record<string, string> => {
  const { apiKey, apiUrl, sandboxUrl } = holdfast.sandboxes.connection
  return { E2B_API_KEY: apiKey, E2B_API_URL: apiUrl, E2B_SANDBOX_URL: sandboxUrl }
}

/** The command line on a terminal of 90 columns and 20 rows. */
function terminal(args: string[] = [], e2b = settings()) {
  const env = { ...process.env, ...e2b, TERM: 'xterm' } as Record<string, string>
  const pty: IPty = spawn(process.execPath, [BIN, ...words(...args)], { cols: 90, rows: 20, env })
  onTestFinished(() => pty.kill())
  let shown = ''
  pty.onData((text) => (shown += text))
  const ended = new Promise<number>((resolve) => pty.onExit(({ exitCode }) => resolve(exitCode)))
  const shows = async (pattern: RegExp) => {
    await expect.poll(() => shown).toMatch(pattern)
  }
  return { pty, ended, shows, shown: () => shown }
}

test('a terminal in the sandbox has our size, our keys and the exit code of its shell, and outlasts the idle time', async () => {
  const { pty, ended, shows } = terminal()
  await shows(/\$ /)
  // It may have paused while the command line started, and again once the terminal has gone.
  const { pauses } = (await session.status()).sandbox
  pty.write('stty size\r')
  await shows(/20 90/)
  pty.resize(70, 15)
  pty.write('until [ "$(stty size)" = "15 70" ]; do sleep 0.1; done; echo res""ized\r')
  await shows(/resized/)
  pty.write('sleep 1000 || echo interrup""ted $?\r')
  await expect.poll(async () => (await session.run("pgrep -fxc 'sleep 1000' || :")).stdout).toBe('1\n')
  pty.write('\u0003')
  pty.write('echo cod""e $?\r')
  await shows(/code 130/)
  pty.write('sleep 3; echo sl""ept; read; exit 7\r') // three times the idle time
  await shows(/slept/)
  expect((await session.status()).sandbox.pauses).toBe(pauses)
  pty.write('\r')
  expect(await ended).toBe(7)
})

test('a shell that is detached from goes on, paused with the sandbox when the lease is over, and is there again', async () => {
  const { pty, ended, shows, shown } = terminal(['--', 'cat'])
  await shows(/exec cat/)
  pty.write('one\r')
  await shows(/one\s+one\s/)
  pty.write('~.')
  expect(await ended).toBe(0)
  const [, pid = ''] = /--attach (\d+)/.exec(shown()) ?? []
  await session.pause()
  const back = terminal(['--attach', pid])
  await back.shows(/to leave/)
  back.pty.write('two\r')
  await back.shows(/two\s+two\s/)
  back.pty.write('\u0004')
  expect(await back.ended).toBe(0)
})

test('a session that is held is not paused as idle, and is paused when nobody holds it any more', async () => {
  const session = await holdfast.jobs.sessions.open(`held-${randomUUID()}`, { idleTimeout: '1s' })
  await session.pause()
  expect(await session.hold({ ms: 60_000, renew: true })).toMatchObject({ state: 'paused' })
  expect(await session.hold({ ms: 3_000 })).toMatchObject({ state: 'running' })
  const since = Date.now()
  await session.hold({ ms: 3_000, renew: true })
  await expect.poll(async () => (await session.status()).state).toBe('paused')
  expect(Date.now() - since).toBeGreaterThan(2_500)
  await expect(session.hold({ ms: 601_000 })).rejects.toMatchObject({ type: 'SandboxInvalidArgument' })
  await session.close()
})

test('without a terminal, or without the settings of E2B, it is refused with what to do', async () => {
  const piped = await startProgram(words(), settings()).ended
  expect(piped).toMatchObject({ code: 2, stderr: expect.stringContaining('this is no terminal') as string })
  const { ended, shows } = terminal([], { E2B_API_KEY: '' })
  await shows(/E2B_API_KEY is not set/)
  expect(await ended).toBe(2)
})
