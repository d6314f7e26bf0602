import { type Program, examples } from '../base-program.ts'
import { answer, programOf, whoAmI, withJobs } from '../context.ts'

const BY = ['--by <name>', 'who answers (default: your user name)'] as const
const CALL = ['<call>', "the call's hash, from the status"] as const

/** A person's word on the calls of tools that a model may make only with leave. */
export function addTools(program: Program): void {
  program
    .command('allow')
    .description('allow the call of a tool that the job waits for')
    .argument('<id>', "the job's id")
    .argument(...CALL)
    .option(...BY)
    .addHelpText('after', examples('holdfast allow bump-deps 3f1c0a9be2d4'))
    .action(async (id, call, { by = whoAmI() }, command) => {
      const globals = command.optsWithGlobals()
      await withJobs(globals, (jobs) => jobs.get(id).allowTool({ by, call }))
      answer(
        globals,
        { id, call, allowed: true, by },
        () => `allowed; watch it with: ${programOf(globals)} watch ${id}`,
      )
    })
  program
    .command('deny')
    .description('refuse it; the model is told, and goes on without')
    .argument('<id>', "the job's id")
    .argument(...CALL)
    .option(...BY)
    .option('--reason <text>', 'the model is told')
    .addHelpText('after', examples('holdfast deny bump-deps 3f1c0a9be2d4 --reason "no new packages"'))
    .action(async (id, call, { by = whoAmI(), reason }, command) => {
      const globals = command.optsWithGlobals()
      await withJobs(globals, (jobs) => jobs.get(id).denyTool({ by, call, ...(reason && { reason }) }))
      answer(
        globals,
        { id, call, allowed: false, by },
        () => `refused; watch it with: ${programOf(globals)} watch ${id}`,
      )
    })
}
