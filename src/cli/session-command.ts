import type { Session } from '../client/session.ts'
import type { CommandOutcome } from '../contract/operations/results.ts'
import type { OutputStream } from '../contract/output.ts'
import { onInterrupt } from './abort.ts'
import type { Globals } from './base-program.ts'
import { programOf } from './context.ts'
import { CliError, reportError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import { LiveOutput, NOTHING_SHOWN, unshown } from './live-output.ts'
import { print, printNote } from './terminal.ts'

/** A session ends a run of its workflow only when nobody waits: so a wait is short, and made again. */
const WAIT_MS = 60_000

/**
 * Waits for a command's end, prints its output on our stdout and stderr (as it comes, where this program knows the workers' blob store), and
 * sets our exit code to its own. Ctrl-C ends the command; a second one ends this program only.
 *
 * @throws CliError `Interrupted` after the command was ended, and what it printed shown
 */
export async function waitForCommand(
  globals: Globals,
  session: Session,
  started: Promise<{ commandId: string }>,
  user: string | undefined,
): Promise<void> {
  const interrupt = onInterrupt(EXIT.interrupted)
  try {
    const { commandId } = await started
    const kill = (): void => {
      const again = `${programOf(globals)} session wait ${session.id} ${commandId}`
      printNote(`ending the command; Ctrl-C again leaves it running, then see it with: ${again}`)
      // Where this fails the wait goes on, and fails too or shows how the command ends.
      killCommand(session, commandId, user).catch((error: Error) => printNote(error.message))
    }
    if (interrupt.signal.aborted) kill()
    else interrupt.signal.addEventListener('abort', kill, { once: true })
    const live = globals.json ? undefined : new LiveOutput(session, commandId)
    const outcome = await untilEnded(session, commandId, { user, live: live?.known ?? false })
    await live?.end()
    showOutcome(globals, outcome, live)
    if (interrupt.signal.aborted)
      throw new CliError('Interrupted', 'the command was ended', {
        remedy: 'nothing: the session is open, and its files are as the command left them',
      })
  } finally {
    interrupt.release()
  }
}

/** Whether it still ran. */
export const killCommand = (
  session: Session,
  commandId: string,
  user: string | undefined,
): Promise<boolean> => session.commands.kill(commandId, user ? { user } : {})

async function untilEnded(
  session: Session,
  commandId: string,
  { user, live }: { user: string | undefined; live: boolean },
): Promise<CommandOutcome> {
  for (;;) {
    try {
      return await session.commands.wait(commandId, { timeoutMs: WAIT_MS, live, ...(user && { user }) })
    } catch (error) {
      if (reportError(error).type !== 'TimedOut') throw error
    }
  }
}

function showOutcome(globals: Globals, outcome: CommandOutcome, live: LiveOutput | undefined): void {
  process.exitCode = outcome.exitCode
  if (globals.json) return print(JSON.stringify(outcome))
  for (const stream of ['stdout', 'stderr'] as const) {
    const whole = { text: outcome[stream], bytes: outcome[`${stream}Bytes`] }
    const { text, bytes } = unshown(whole, (live?.shown ?? NOTHING_SHOWN)[stream])
    if (live?.known && bytes > 0) printNote(notKept(stream, bytes))
    process[stream].write(text)
    if (!live?.known && Buffer.byteLength(text) < bytes) printNote(CUT)
  }
  if (outcome.timedOut) printNote('the command was ended: its time was over')
}

const notKept = (stream: OutputStream, bytes: number): string =>
  `${bytes} bytes of ${stream} are not in the blob store, which keeps 64 MiB, where HOLDFAST_BLOB_STORE and HOLDFAST_OWNER are as the workers have them. What the command's outcome has of them:`

const CUT =
  'the output is cut: with HOLDFAST_BLOB_STORE and HOLDFAST_OWNER as the workers have them, it comes whole'
