import type { Job } from '../../client/job.ts'
import { type Globals, type Program, examples } from '../base-program.ts'
import { answer, programOf, whoAmI, withJobs } from '../context.ts'
import { readChangeRequest } from '../change-request.ts'

const BY = ['--by <name>', 'who answers (default: your user name)'] as const

/** The reviewer's three answers. */
export function addAnswers(program: Program): void {
  addApprove(program)
  addReject(program)
  addRequestChanges(program)
}

function addApprove(program: Program): void {
  program
    .command('approve')
    .description('approve the work that waits for review')
    .argument('<id>', "the job's id")
    .option(...BY)
    .option('--comment <text>', 'goes into the record of the job')
    .addHelpText(
      'after',
      examples('holdfast approve bump-deps', 'holdfast approve bump-deps --comment "nice"'),
    )
    .action(async (id, { by = whoAmI(), comment }, command) => {
      const send = (job: Job) => job.approve({ by, ...(comment && { comment }) })
      await sendAnswer(command.optsWithGlobals(), id, { decision: 'approve', by }, 'approved', send)
    })
}

function addReject(program: Program): void {
  program
    .command('reject')
    .description('reject the work that waits for review, and so end the job')
    .argument('<id>', "the job's id")
    .option(...BY)
    .option('--reason <text>', 'goes into the record of the job')
    .addHelpText('after', examples('holdfast reject bump-deps --reason "wrong approach"'))
    .action(async (id, { by = whoAmI(), reason }, command) => {
      const send = (job: Job) => job.reject({ by, ...(reason && { reason }) })
      await sendAnswer(command.optsWithGlobals(), id, { decision: 'reject', by }, 'rejected', send)
    })
}

function addRequestChanges(program: Program): void {
  program
    .command('request-changes')
    .description('have the steps run again, with feedback; then the job asks for review again')
    .argument('<id>', "the job's id")
    .requiredOption('--feedback <text>', 'what to change; steps find it in HOLDFAST_FEEDBACK')
    .option('--steps <file>', 'a YAML list of steps to run instead of those of the job; - reads stdin')
    .option(...BY)
    .addHelpText(
      'after',
      examples(
        'holdfast request-changes bump-deps --feedback "keep the old lock file"',
        'holdfast request-changes bump-deps --feedback "use the patch" --steps steps.yaml',
      ),
    )
    .action(async (id, { by = whoAmI(), feedback, steps }, command) => {
      const request = await readChangeRequest({ by, feedback, ...(steps && { stepsFile: steps }) })
      const send = (job: Job) => job.requestChanges(request)
      const words = 'asked for changes to'
      await sendAnswer(command.optsWithGlobals(), id, { decision: 'requestChanges', by }, words, send)
    })
}

async function sendAnswer(
  globals: Globals,
  id: string,
  review: { decision: string; by: string },
  did: string,
  send: (job: Job) => Promise<void>,
): Promise<void> {
  await withJobs(globals, (jobs) => send(jobs.get(id)))
  const watch = `${programOf(globals)} watch ${id}`
  answer(globals, { id, ...review }, () => `${did} ${id} as ${review.by}; watch it with: ${watch}`)
}
