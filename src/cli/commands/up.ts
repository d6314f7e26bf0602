import { type Program, examples } from '../base-program.ts'
import { refuseServerOptions } from '../context.ts'
import { portNumber } from '../numbers.ts'

export function addUp(program: Program): void {
  program
    .command('up')
    .description('run the whole stack on this machine: Temporal, a local sandbox server, a worker')
    .option('--port <number>', "the port of Temporal's frontend", portNumber)
    .addHelpText('after', examples('holdfast up', 'holdfast up --port 7233'))
    .action(async ({ port }, command) => {
      const globals = command.optsWithGlobals()
      refuseServerOptions(globals, 'up')
      const { up } = await import('../../stack/up.ts')
      await up({ json: Boolean(globals.json), ...(port !== undefined && { port }) })
    })
}
