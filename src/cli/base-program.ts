import { Command } from '@commander-js/extra-typings'
import { exitCodeTable } from './exit-codes.ts'

/** The program with its global options, which stand before or after the command. */
export const baseProgram = () =>
  new Command()
    .name('holdfast')
    .description(
      'Durable agent jobs: in this repository do these steps, check them, ask a person, commit, push.',
    )
    .option('--address <host:port>', "Temporal's frontend (default: TEMPORAL_ADDRESS, or the profile's)")
    .option('--namespace <name>', "Temporal's namespace (default: TEMPORAL_NAMESPACE, or the profile's)")
    .option('--task-queue <name>', 'where the workers listen (default: holdfast)')
    .option('--json', 'print JSON on stdout, and nothing else')
    .addHelpText(
      'after',
      examples(
        'holdfast up                              # Temporal, sandboxes and a worker on this machine',
        'holdfast submit job.yaml --watch',
        'holdfast approve bump-deps --comment "looks good"',
      ) + `\n\n${exitCodeTable()}`,
    )
    .showSuggestionAfterError(true)
    .configureHelp({ showGlobalOptions: true })
    // Errors are printed once, in main.ts; the end of the process is its business too.
    .configureOutput({ outputError: () => undefined })
    .exitOverride()

export type Program = ReturnType<typeof baseProgram>

/** The values of the global options. */
export type Globals = ReturnType<Program['opts']>

/** Examples, for the end of a help text. */
export function examples(...lines: string[]): string {
  return ['', 'Examples:', ...lines.map((line) => `  $ ${line}`)].join('\n')
}
