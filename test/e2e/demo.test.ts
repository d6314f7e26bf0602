import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { spawn as spawnOnTerminal } from '@lydell/node-pty'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** What would make the demo use something else than its own parts. */
const FOREIGN = /^(TEMPORAL_(?!CLI_PATH)|E2B_|HOLDFAST_)/

let state: string
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'holdfast-demo-'))
})
afterEach(async () => {
  const name = createHash('sha256').update(state).digest('hex').slice(0, 12)
  await rm(join('/var/lib/holdfast', name), { recursive: true, force: true })
  await rm(state, { recursive: true, force: true })
})

interface Demo {
  /** Resolves when stderr has shown the text. */
  until(text: string): Promise<void>
  /** What a terminal does at Ctrl-C: SIGINT to the whole foreground process group. */
  interrupt(): void
  ended: Promise<{ code: number | null; stdout: string; stderr: string }>
}

/** The README's command, in a process group of its own. */
function npmStart(...args: string[]): Demo {
  const child: ChildProcess = spawn('npm', ['start', '--', ...args], {
    cwd: ROOT,
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let stdout = ''
  let stderr = ''
  const watchers = new Set<() => void>()
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    for (const watch of watchers) watch()
  })
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }))
  return {
    until: (text) =>
      new Promise((resolve, reject) => {
        const watch = (): void => {
          if (stderr.includes(text)) resolve()
        }
        watchers.add(watch)
        watch()
        void ended.then(() => reject(new Error(`ended without "${text}":\n${stderr}`)))
      }),
    interrupt: () => process.kill(-child.pid!, 'SIGINT'),
    ended,
  }
}

/** The same on a terminal, where it asks. */
function npmStartOnTerminal() {
  const terminal = spawnOnTerminal('npm', ['start'], { cwd: ROOT, env: environment() })
  let shown = ''
  terminal.onData((text) => (shown += text))
  const ended = new Promise((resolve) => terminal.onExit(resolve))
  onTestFinished(async () => {
    terminal.kill('SIGHUP')
    await ended
  })
  return {
    shows: async (pattern: RegExp): Promise<void> => {
      await expect.poll(() => shown, { timeout: 120_000 }).toMatch(pattern)
    },
    type: (text: string) => terminal.write(text),
    shown: () => shown,
    ended,
  }
}

const environment = (): Record<string, string> => {
  const env = Object.entries(process.env).filter(([name]) => !FOREIGN.test(name))
  return { ...(Object.fromEntries(env) as Record<string, string>), HOLDFAST_STATE: state, NO_COLOR: '1' }
}

const lastLine = (stdout: string): Record<string, unknown> =>
  JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>

test('from nothing, the main job runs through and pushes what it committed', async () => {
  const { code, stdout, stderr } = await npmStart('--yes', '--exit', '--json').ended
  expect(code, stderr).toBe(0)
  const result = lastLine(stdout)
  expect(Object.keys(result).toSorted()).toEqual(
    [
      'workflowId',
      'runId',
      'status',
      'branch',
      'commit',
      'remoteHead',
      'sandboxId',
      'runningMs',
      'pausedMs',
      'resumes',
      'historyEvents',
      'uiUrl',
    ].toSorted(),
  )
  expect(result).toMatchObject({
    status: 'completed',
    commit: expect.stringMatching(/^[0-9a-f]{40}$/),
    resumes: 1,
  })
  expect(result.remoteHead).toBe(result.commit)
  expect(result.pausedMs).toBeGreaterThan(0)
})

test('interrupted in its steps and again at its review, where feedback that is too long is asked for again, the same job is carried on to its end', async () => {
  const first = npmStart()
  await first.until('▸ steps')
  first.interrupt()
  expect((await first.ended).stderr).toContain('carries the same job on')

  const second = npmStartOnTerminal()
  await second.shows(/\(carried on\)[^]*Approve\?/)
  const [, address] = /Temporal server at ([\w.:]+)/.exec(second.shown())!
  expect(second.shown()).toContain(`npx holdfast --address ${address} approve fix-rounding-`)
  second.type(`${'too long '.repeat(2_000)}\r`)
  await second.shows(/error InvalidSpec: [^]*feedback[^]*remedy: [^]*Approve\?/)
  await refusedBeside()
  second.type('\u0003')
  await second.ended
  expect(second.shown()).toContain('carries the same job on')

  const third = npmStart('--yes', '--exit', '--json')
  const { code, stdout, stderr } = await third.ended
  expect(code, stderr).toBe(0)
  const idOf = (text: string): string | undefined => /Job +(\S+)/.exec(text)?.[1]
  const result = lastLine(stdout)
  expect([idOf((await first.ended).stderr), idOf(second.shown())]).toEqual([
    result.workflowId,
    result.workflowId,
  ])
  expect(result).toMatchObject({ status: 'completed', resumes: 1 })
  expect(result.remoteHead).toBe(result.commit)
})

/** Of a second start in the same folder. */
async function refusedBeside(): Promise<void> {
  const { code, stdout, stderr } = await npmStart('--json').ended
  expect(code, stderr).toBe(1)
  const message = expect.stringMatching(`^another Holdfast stack \\(process \\d+\\) runs on ${state}$`)
  const remedy = expect.stringContaining('name another folder')
  expect(lastLine(stdout)).toEqual({ error: { type: 'StackFailed', message, remedy } })
  expect(stderr).toContain('remedy: ')
}

test("where another program has the git host's port, it says so and what to do", async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  onTestFinished(() => void other.close())
  const { port } = other.address() as AddressInfo
  await writeFile(join(state, 'demo.json'), JSON.stringify({ token: 't', gitPort: port, job: 1 }))
  const { code, stdout, stderr } = await npmStart('--json').ended
  expect(code, stderr).toBe(1)
  expect(lastLine(stdout)).toEqual({
    error: {
      type: 'StackFailed',
      message: `the demo's git host needs its port ${port} again, which another program has taken`,
      remedy: expect.stringContaining('HOLDFAST_STATE'),
    },
  })
})

test('interrupted while it starts, it ends and leaves no process behind', async () => {
  const demo = npmStart()
  await demo.until('Starting')
  demo.interrupt()
  expect((await demo.ended).stderr).not.toContain('Job')
  expect(await processesOf(state)).toEqual([])
})

/** Command lines of running processes that name the folder. */
async function processesOf(folder: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return lines.filter((line) => line.includes(folder))
}
