import { type Program, examples } from '../base-program.ts'
import { answer, programOf, withJobs } from '../context.ts'

export function addCancel(program: Program): void {
  program
    .command('cancel')
    .description('ask a job to end: its command is stopped, its sandbox cleaned up')
    .argument('<id>', "the job's id")
    .addHelpText('after', examples('holdfast cancel bump-deps'))
    .action(async (id, _options, command) => {
      const globals = command.optsWithGlobals()
      await withJobs(globals, (jobs) => jobs.get(id).cancel())
      answer(
        globals,
        { id, cancelRequested: true },
        () => `asked ${id} to end; watch it clean up with: ${programOf(globals)} watch ${id}`,
      )
    })
}
