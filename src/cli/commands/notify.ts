import { type Program, examples } from '../base-program.ts'
import { answer, programOf, withJobs } from '../context.ts'

export function addNotify(program: Program): void {
  program
    .command('notify')
    .description('tell a job that something has happened which a waitFor step waits for')
    .argument('<id>', "the job's id")
    .argument('<name>', 'what the waitFor step names')
    .addHelpText('after', examples('holdfast notify bump-deps ci-green'))
    .action(async (id, name, _options, command) => {
      const globals = command.optsWithGlobals()
      await withJobs(globals, (jobs) => jobs.get(id).notify(name))
      answer(
        globals,
        { id, notified: name },
        () => `told ${id} of ${name}; watch it with: ${programOf(globals)} watch ${id}`,
      )
    })
}
