import { Command } from '@commander-js/extra-typings'

export interface DemoOptions {
  /** Have a coding agent make the edit. */
  agent: boolean
  /** Approve without asking. */
  yes: boolean
  /** End with the job's outcome as exit code, instead of staying up. */
  exit: boolean
  /** Print the result as one JSON object, the last line on stdout. */
  json: boolean
}

export function parseOptions(argv: string[]): DemoOptions {
  const command = new Command('npm start --')
    .description('Runs one job, from clone to push, on real parts, all on this machine.')
    .option(
      '--agent',
      'have OpenCode make the edit, against a scripted model unless OPENAI_API_KEY is set',
      false,
    )
    .option('--yes', 'approve without asking', false)
    .option('--exit', "end with the job's outcome as exit code, instead of staying up", false)
    .option(
      '--json',
      'print the result as one JSON object, the last line on stdout; progress goes to stderr',
      false,
    )
    .addHelpText(
      'after',
      `
Environment:
  TEMPORAL_ADDRESS, TEMPORAL_PROFILE …  use that Temporal server
  TEMPORAL_CLI_PATH                     start the development server with that CLI
  E2B_API_KEY                           use the E2B cloud; it needs a repository that it can reach:
  HOLDFAST_DEMO_REPO                    clone and push here instead of the demo's own git host
  HOLDFAST_SECRET_GIT_TOKEN             the token for it
  OPENAI_API_KEY, OPENAI_BASE_URL       with --agent: a real model, or one of a compatible endpoint
  HOLDFAST_DEMO_MODEL                   its name (gpt-5.2)
  HOLDFAST_STATE                        folder for all that is kept (.holdfast)`,
    )
  return command.parse(argv).opts()
}
