import { type Program, examples } from '../base-program.ts'
import { answer, programOf, withJobs } from '../context.ts'
import { formatStatus } from '../status-text.ts'
import { colorsFor } from '../terminal.ts'

export function addStatus(program: Program): void {
  program
    .command('status')
    .description('where a job is, what it waits for, its sandbox and its steps')
    .argument('<id>', "the job's id")
    .addHelpText(
      'after',
      examples('holdfast status bump-deps', 'holdfast status bump-deps --json | jq .phase'),
    )
    .action(async (id, _options, command) => {
      const globals = command.optsWithGlobals()
      const status = await withJobs(globals, (jobs) => jobs.get(id).status())
      answer(globals, status, () =>
        formatStatus(status, programOf(globals), Date.now(), colorsFor(process.stdout)),
      )
    })
}
