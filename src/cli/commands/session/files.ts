import { examples } from '../../base-program.ts'
import { answer, withJobs } from '../../context.ts'
import { readBytes } from '../../read-file.ts'
import type { SessionGroup } from '../session.ts'

/** What one operation carries; see `MAX_FILE_BYTES` of the contract, which is too heavy for a start of the CLI. */
const MAX_BYTES = 1024 * 1024

/** Files of the session's sandbox. */
export function addFiles(session: SessionGroup): void {
  session
    .command('read')
    .description('print a file of the sandbox, byte by byte; at most 1 MiB')
    .argument('<id>', "the session's id")
    .argument('<path>', "absolute, or from the user's home")
    .option('--user <name>', 'as whom')
    .addHelpText(
      'after',
      examples('holdfast session read dev notes.txt', 'holdfast session read dev plot.png >plot.png'),
    )
    .action(async (id, path, { user }, command) => {
      const globals = command.optsWithGlobals()
      const options = { encoding: 'base64' as const, ...(user && { user }) }
      const content = await withJobs(globals, ({ sessions }) => sessions.get(id).files.read(path, options))
      if (globals.json) answer(globals, { path, encoding: 'base64', content }, () => '')
      else process.stdout.write(Buffer.from(content, 'base64'))
    })
  session
    .command('write')
    .description('write a file of the sandbox, and the folders above it; at most 1 MiB')
    .argument('<id>', "the session's id")
    .argument('<path>', "absolute, or from the user's home")
    .argument('[file]', 'what to write; - reads stdin', '-')
    .option('--user <name>', 'as whom')
    .addHelpText(
      'after',
      examples(
        'holdfast session write dev app/.env .env.test',
        'echo hello | holdfast session write dev notes.txt',
      ),
    )
    .action(async (id, path, file, { user }, command) => {
      const globals = command.optsWithGlobals()
      const bytes = await readBytes(file, MAX_BYTES, 'send it in parts, or have the sandbox fetch it')
      const options = { encoding: 'base64' as const, ...(user && { user }) }
      const written = await withJobs(globals, ({ sessions }) =>
        sessions.get(id).files.write(path, bytes.toString('base64'), options),
      )
      answer(globals, { ...written, bytes: bytes.length }, () => `${written.path}: ${bytes.length} bytes`)
    })
}
