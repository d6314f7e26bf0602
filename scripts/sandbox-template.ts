// Prepares what sandboxes of a template need beside the host's programs: `npm run sandbox-template -- code-interpreter`.
import { homedir } from 'node:os'
import { Argument, Command } from '@commander-js/extra-typings'
import { defaultTemplatesDir } from '../src/local-sandbox/interpreter/environment.ts'
import { prepareEnvironment } from '../src/local-sandbox/interpreter/prepare.ts'

const program = new Command()
  .name('sandbox-template')
  .description('prepares a template of the local sandbox server')
  .addArgument(new Argument('<template>').choices(['code-interpreter'] as const))
  .option(
    '--templates-dir <folder>',
    "the server's own, where it was given one",
    defaultTemplatesDir(process.getuid?.(), homedir(), process.env['XDG_CACHE_HOME']),
  )
  .parse()

try {
  process.stderr.write("preparing the code interpreter's Python and Deno; this downloads some 100 MB once\n")
  process.stdout.write(`${await prepareEnvironment(program.opts().templatesDir)}\n`)
} catch (error) {
  process.stderr.write(`sandbox-template: ${(error as Error).message}\n`)
  process.exitCode = 1
}
