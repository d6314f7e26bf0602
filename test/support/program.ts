import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'

export const BIN = fileURLToPath(new URL('../../bin/holdfast.mjs', import.meta.url))
/** What would make a program use something else than the test's own parts. */
const FOREIGN = /^(TEMPORAL_(?!CLI_PATH)|E2B_|HOLDFAST_)/

/** The environment without the caller's settings. */
export const ownEnv = (): Record<string, string> => ({
  ...(Object.fromEntries(Object.entries(process.env).filter(([name]) => !FOREIGN.test(name))) as Record<
    string,
    string
  >),
  NO_COLOR: '1',
})

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** The command line as a process of its own. */
export interface Program {
  pid: number
  /** The part of stdout or stderr that matches, as soon as it does. Rejects where the program ends without. */
  until(stream: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray>
  send(signal: NodeJS.Signals): void
  ended: Promise<Ended>
}

/** Starts `node bin/holdfast.mjs ARGS`, away from the checkout and without the caller's settings. */
export function startProgram(args: string[], extraEnv: NodeJS.ProcessEnv = {}): Program {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd: tmpdir(),
    env: { ...ownEnv(), ...extraEnv },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const printed = { stdout: '', stderr: '' }
  const watchers = new Set<() => void>()
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      printed[stream] += text
      for (const watch of watchers) watch()
    })
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...printed }))
  return {
    pid: child.pid!,
    until: (stream, pattern) =>
      new Promise((resolve, reject) => {
        const watch = (): void => {
          const match = pattern.exec(printed[stream])
          if (!match) return
          watchers.delete(watch)
          resolve(match)
        }
        watchers.add(watch)
        watch()
        void ended.then(() =>
          reject(new Error(`ended without ${pattern}:\n${printed.stdout}\n${printed.stderr}`)),
        )
      }),
    send: (signal) => void child.kill(signal),
    ended,
  }
}
