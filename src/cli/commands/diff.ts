import { type Program, examples } from '../base-program.ts'
import { withJobs } from '../context.ts'
import { colorDiff } from '../diff-text.ts'
import { colorsFor, print, printNote } from '../terminal.ts'

export function addDiff(program: Program): void {
  program
    .command('diff')
    .description("a job's work so far against its base")
    .argument('<id>', "the job's id")
    .addHelpText(
      'after',
      examples(
        'holdfast diff bump-deps',
        'holdfast diff bump-deps > bump.patch      # plain: git apply takes it',
      ),
    )
    .action(async (id, _options, command) => {
      const globals = command.optsWithGlobals()
      const diff = await withJobs(globals, (jobs) => jobs.get(id).diff())
      if (globals.json) return print(JSON.stringify(diff))
      if (!diff) return printNote('there is no diff yet: it is read when the steps and checks are done')
      const text = process.stdout.isTTY ? colorDiff(diff.text, colorsFor(process.stdout)) : diff.text
      process.stdout.write(text.endsWith('\n') || text === '' ? text : `${text}\n`)
      if (diff.files === 0) printNote('the steps changed no file')
      if (diff.truncated) printNote('cut here: the diff is larger than 200 KB')
    })
}
