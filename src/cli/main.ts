import { CommanderError } from '@commander-js/extra-typings'
import { CliError, formatError, reportError } from './errors.ts'
import { EXIT, exitCodeOfFailure } from './exit-codes.ts'
import { createProgram } from './program.ts'
import { colorsFor, print, printNote } from './terminal.ts'

/**
 * Runs one command line.
 *
 * @param args the arguments, without node and the script
 * @returns the exit code, of the table in exit-codes.ts; never throws
 */
export async function main(args: string[]): Promise<number> {
  endQuietlyWhenTheReaderLeaves()
  try {
    await createProgram().parseAsync(args, { from: 'user' })
    return Number(process.exitCode ?? EXIT.ok)
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok
    const report = reportError(error instanceof CommanderError ? usageError(error) : error)
    if (args.includes('--json')) print(JSON.stringify({ error: report }))
    else printNote(formatError(report, colorsFor(process.stderr)))
    return exitCodeOfFailure(report.type)
  }
}

/** Commander's words, without its prefix. `commander.help` is what it throws when no command was given. */
function usageError(error: CommanderError): CliError {
  const message =
    error.code === 'commander.help' ? 'no command is given' : error.message.replace(/^error: /, '')
  return new CliError('Usage', message, { remedy: 'see holdfast --help, or holdfast COMMAND --help' })
}

/** `holdfast list | head -1` closes our stdout early: that is no error. */
function endQuietlyWhenTheReaderLeaves(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit()
      throw error
    })
}
