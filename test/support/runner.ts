import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { attachCommand, type Launch } from '../../src/activities/lib/runner.ts'
import { type Trailer, TrailerReader } from '../../src/activities/lib/trailer.ts'

/** One attachment of a follower to a command, by the runner's own text in a real shell. */
export interface Attachment {
  stdout: () => string
  stderr: () => string
  /** Ends the follower, as a lost stream would. */
  lose: () => void
  until: (text: string) => Promise<void>
  trailer: Promise<Trailer | undefined>
  /** The follower's own exit code. */
  code: Promise<number | null>
}

/** Launches or attaches in `home`, as an activity does in a sandbox. */
export function attach(
  home: string,
  {
    env = {},
    ...launch
  }: Partial<Launch> & { script: string; commandId: string; env?: Record<string, string> },
): Attachment {
  const nonce = randomUUID()
  let out = ''
  let err = ''
  const reader = new TrailerReader(nonce, (text) => (out += text))
  const defaults = {
    sentinels: [],
    mustBeThere: false,
    forget: [],
    home,
    nonce,
    cwd: home,
    timeoutMs: 60_000,
    mode: 'run' as const,
    stdin: false,
    repeatable: false,
    stdoutOffset: 0,
    stderrOffset: 0,
  }
  const ended = (): Trailer | undefined => {
    const trailer = reader.end()
    if (trailer && trailer.kind !== 'running' && !trailer.streamed) {
      out += trailer.stdout.head
      err += trailer.stderr.head
    }
    return trailer
  }
  const child = spawn('/bin/bash', ['-l', '-c', attachCommand({ ...defaults, ...launch })], {
    detached: true,
    env: { ...process.env, ...env },
  })
  const watchers = new Set<() => void>()
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    reader.push(text)
    for (const watcher of watchers) watcher()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  return {
    stdout: () => out,
    stderr: () => err,
    lose: () => {
      if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGKILL')
    },
    until: (text) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (out.includes(text)) resolve()
        }
        watchers.add(check)
        check()
      }),
    trailer: new Promise((resolve) => child.on('close', () => resolve(ended()))),
    code: new Promise((resolve) => child.on('close', resolve)),
  }
}
