import { setTimeout as sleep } from 'node:timers/promises'
import type { Session } from '../../client/session.ts'
import type { Globals } from '../base-program.ts'
import { programOf } from '../context.ts'
import { CliError } from '../errors.ts'
import { printNote } from '../terminal.ts'
import { DETACH_KEYS, Keys } from './keys.ts'
import type { Shell, ShellEnd, ShellOptions, Size } from './shell.ts'

/** For how long the sandbox stays awake when this program dies. */
const HOLD_MS = 60_000
const RENEW_MS = 20_000
/** Between two attempts to reach the shell again, and how many of them there are. */
const AGAIN_MS = 1_000
const ATTEMPTS = 30

export interface TerminalOptions extends ShellOptions {
  /** A command line that takes the shell's place. */
  line?: string
  /** A shell that goes on since it was detached from. */
  attach?: number
}

/**
 * Our terminal becomes that of a shell in the session's sandbox, until it ends (then its exit code is ours) or is detached from. What is typed
 * and shown goes to the sandbox directly, past Temporal; meanwhile the session is held, so that it isn't paused as idle.
 *
 * @throws CliError where there is no terminal here, or no way to the sandbox
 */
export async function openTerminal(
  globals: Globals,
  session: Session,
  { line, attach, ...options }: TerminalOptions,
): Promise<void> {
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw new CliError('Usage', '-t: this is no terminal', { remedy: 'leave -it out, or use a terminal' })
  if (!process.env.E2B_API_KEY)
    throw new CliError('Usage', 'E2B_API_KEY is not set: a terminal goes to the sandbox directly', {
      remedy:
        "set E2B_API_KEY, and E2B_API_URL, E2B_SANDBOX_URL or E2B_DOMAIN as the session's workers have them",
    })
  const { sandboxId } = await session.hold({ ms: HOLD_MS })
  const { Shell } = await import('./shell.ts')
  const show = (data: Uint8Array): void => void process.stdout.write(data)
  let shell = attach
    ? await Shell.attach(sandboxId, show, attach)
    : await Shell.create(sandboxId, show, { ...options, ...size() })
  printNote(`to leave the shell running: ${DETACH_KEYS}`)
  const detached = new Promise<'detached'>((resolve) =>
    takeOver(
      () => shell,
      () => resolve('detached'),
    ),
  )
  // Where a renewal fails the lease runs out, and the session has the last word.
  const renewal = setInterval(
    () => void session.hold({ ms: HOLD_MS, renew: true }).catch(() => undefined),
    RENEW_MS,
  )
  if (line) shell.type(Buffer.from(`exec ${line}\n`))
  if (attach) shell.resize(size())
  try {
    for (;;) {
      const end = await Promise.race([shell.ended(), detached])
      if (end === 'detached') break
      if (end.kind === 'exited') return void (process.exitCode = end.exitCode)
      shell = await again(session, shell, end, show)
    }
    await shell.detach()
    printNote(
      `\nthe shell goes on; back to it: ${programOf(globals)} session exec -it ${session.id} --attach ${shell.pid}`,
    )
  } finally {
    clearInterval(renewal)
    giveBack()
  }
}

/** Reaches the shell again after its stream broke. @throws CliError where it is gone, or the sandbox was paused */
async function again(
  session: Session,
  { pid }: Shell,
  end: ShellEnd,
  show: (data: Uint8Array) => void,
): Promise<Shell> {
  const { Shell, endOf } = await import('./shell.ts')
  let last = end
  for (let attempt = 0; attempt < ATTEMPTS && last.kind === 'lost'; attempt++) {
    const { sandboxId, state } = await session.hold({ ms: HOLD_MS, renew: true })
    if (state === 'paused')
      throw new CliError('Interrupted', 'the sandbox was paused, and the shell with it', {
        remedy: `go on with it: session exec -it ${session.id} --attach ${pid}`,
      })
    try {
      const shell = await Shell.attach(sandboxId, show, pid)
      shell.resize(size())
      return shell
    } catch (error) {
      last = endOf(error)
      await sleep(AGAIN_MS)
    }
  }
  const { why } = last as { why: string }
  throw new CliError('Interrupted', `the shell can't be reached any more: ${why}`, {
    remedy: 'look at the session: holdfast session status',
  })
}

/** Every key, and every change of size, goes to the shell. */
function takeOver(shell: () => Shell, detach: () => void): void {
  const keys = new Keys()
  process.stdin.setRawMode(true)
  process.stdin.on('data', (typed: Buffer) => {
    const taken = keys.take(typed)
    if (taken.send.length > 0) shell().type(taken.send)
    if (taken.detach) detach()
  })
  process.stdout.on('resize', () => shell().resize(size()))
}

function giveBack(): void {
  process.stdin.setRawMode(false)
  process.stdin.removeAllListeners('data').pause()
  process.stdout.removeAllListeners('resize')
}

const size = (): Size => ({ cols: process.stdout.columns, rows: process.stdout.rows })
