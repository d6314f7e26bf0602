import { type Program, examples } from '../base-program.ts'
import { refuseOptions } from '../context.ts'
import { print } from '../terminal.ts'

export function addWorker(program: Program): void {
  program
    .command('worker')
    .description(
      'run a worker until SIGTERM or Ctrl-C; configured by holdfast.config.yaml and the environment',
    )
    .addHelpText('after', examples('TEMPORAL_ADDRESS=localhost:7233 E2B_API_KEY=… holdfast worker'))
    .action(async (_options, command) => {
      const globals = command.optsWithGlobals()
      refuseOptions(globals, 'worker', ['address', 'namespace', 'taskQueue'])
      const { runWorker } = await import('../../worker.ts')
      await runWorker((ready) => {
        if (globals.json) print(JSON.stringify(ready))
      })
    })
}
