import type { Session } from '../client/session.ts'
import type { CommandOutcome } from '../contract/operations/results.ts'
import type { OutputChunk } from '../contract/output.ts'
import { onInterrupt } from './abort.ts'
import type { Globals } from './base-program.ts'
import { programOf } from './context.ts'
import { CliError, reportError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
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
    const shown = globals.json ? undefined : new LiveOutput(session, commandId)
    const outcome = await untilEnded(session, commandId, { user, live: shown?.known ?? false })
    await shown?.end()
    showOutcome(globals, outcome, shown?.complete ?? false)
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

/** Prints what the command prints, as it comes, where this program knows the workers' blob store. */
class LiveOutput {
  readonly known: boolean
  /** Whether all was printed; known after `end`. */
  complete = false
  readonly #ended = new AbortController()
  readonly #showing: Promise<void>

  constructor(session: Session, commandId: string) {
    let chunks: AsyncGenerator<OutputChunk, void> | undefined
    try {
      chunks = session.commandOutput(commandId, this.#ended.signal)
    } catch (error) {
      if (reportError(error).type !== 'BlobStoreUnavailable') throw error
    }
    this.known = chunks !== undefined
    this.#showing = chunks ? this.#show(chunks) : Promise.resolve()
  }

  /** Prints what is left. */
  async end(): Promise<void> {
    this.#ended.abort()
    await this.#showing
  }

  async #show(chunks: AsyncGenerator<OutputChunk, void>): Promise<void> {
    try {
      for await (const { stream, text, missedBytes } of chunks) {
        if (missedBytes > 0) printNote(`… (${missedBytes} bytes are not kept) …`)
        process[stream].write(text)
      }
      this.complete = true
    } catch (error) {
      printNote(`the output can't be read as it comes: ${reportError(error).message}`)
    }
  }
}

function showOutcome(globals: Globals, outcome: CommandOutcome, shown: boolean): void {
  process.exitCode = outcome.exitCode
  if (globals.json) return print(JSON.stringify(outcome))
  if (!shown) {
    process.stdout.write(outcome.stdout)
    process.stderr.write(outcome.stderr)
    if (isCut(outcome))
      printNote(
        'the output is cut in the middle: with HOLDFAST_BLOB_STORE as the workers have it, it comes whole',
      )
  }
  if (outcome.timedOut) printNote('the command was ended: its time was over')
}

const isCut = ({ stdout, stdoutBytes, stderr, stderrBytes }: CommandOutcome): boolean =>
  Buffer.byteLength(stdout) < stdoutBytes || Buffer.byteLength(stderr) < stderrBytes
