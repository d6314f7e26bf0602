import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

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
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !FOREIGN.test(name)))
  const child: ChildProcess = spawn('npm', ['start', '--', ...args], {
    cwd: ROOT,
    env: { ...env, HOLDFAST_STATE: state, NO_COLOR: '1' },
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

test('interrupted in its steps and again at its review, the same job is carried on to its end', async () => {
  const first = npmStart()
  await first.until('▸ steps')
  first.interrupt()
  expect((await first.ended).stderr).toContain('carries the same job on')

  const second = npmStart()
  await second.until('(carried on)')
  await second.until('Waits for your answer')
  second.interrupt()
  expect((await second.ended).stderr).toContain('carries the same job on')

  const third = npmStart('--yes', '--exit', '--json')
  const { code, stdout, stderr } = await third.ended
  expect(code, stderr).toBe(0)
  const idOf = (text: string): string | undefined => /Job +(\S+)/.exec(text)?.[1]
  const result = lastLine(stdout)
  expect([idOf((await first.ended).stderr), idOf((await second.ended).stderr)]).toEqual([
    result.workflowId,
    result.workflowId,
  ])
  expect(result).toMatchObject({ status: 'completed', resumes: 1 })
  expect(result.remoteHead).toBe(result.commit)
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
