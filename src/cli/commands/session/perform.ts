import { examples } from '../../base-program.ts'
import { withJobs } from '../../context.ts'
import { CliError } from '../../errors.ts'
import { print } from '../../terminal.ts'
import type { SessionGroup } from '../session.ts'

/** Every operation by its name. */
export function addPerform(session: SessionGroup): void {
  session
    .command('perform')
    .description('any operation of docs/e2b-operations.md; prints what it returns as JSON')
    .argument('<id>', "the session's id")
    .argument('<operation>', 'its name, such as files.list')
    .argument('[input]', 'a JSON object', '{}')
    .option('--request-id <text>', 'names the request: sent again under the same id, it is done once')
    .addHelpText(
      'after',
      examples(
        `holdfast session perform dev files.list '{"path": "."}'`,
        `holdfast session perform dev git.clone '{"url": "https://git.example/acme/web.git"}'`,
      ),
    )
    .action(async (id, operation, input, { requestId }, command) => {
      const { SANDBOX_OPERATIONS } = await import('../../../contract/operations/table.ts')
      if (!isOneOf(SANDBOX_OPERATIONS, operation))
        throw new CliError('Usage', `there is no operation ${operation}`, {
          remedy: `name one of: ${Object.keys(SANDBOX_OPERATIONS).join(', ')}`,
        })
      const parsed = parseInput(input)
      const result = await withJobs(command.optsWithGlobals(), ({ sessions }) =>
        sessions.get(id).perform(operation, parsed as never, requestId ? { requestId } : {}),
      )
      print(JSON.stringify(result ?? null))
    })
}

const isOneOf = <T extends object>(table: T, name: string): name is keyof T & string =>
  Object.hasOwn(table, name)

function parseInput(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw new CliError('Usage', `the input is not JSON: ${(error as Error).message}`, {
      remedy: `give an object in quotes, as '{"path": "notes.txt"}'`,
      cause: error,
    })
  }
}
