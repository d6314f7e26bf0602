import { type Program, examples } from '../base-program.ts'
import { withJobs } from '../context.ts'
import { wholeNumber } from '../numbers.ts'
import { watchJob } from '../watch-job.ts'

export function addWatch(program: Program): void {
  program
    .command('watch')
    .description('show a job live until it ends; the exit code tells its outcome')
    .argument('<id>', "the job's id")
    .option('--from <number>', 'the first event to show; Ctrl-C says where you were', wholeNumber, 0)
    .addHelpText(
      'after',
      examples(
        'holdfast watch bump-deps',
        'holdfast watch bump-deps --from 17',
        'holdfast watch bump-deps --json | tail -1    # the result',
      ),
    )
    .action(async (id, { from }, command) => {
      const globals = command.optsWithGlobals()
      await withJobs(globals, (jobs) => watchJob(globals, jobs.get(id), from))
    })
}
