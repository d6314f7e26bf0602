import type { ReaperReport, SandboxRow } from '../../contract/sandboxes.ts'
import { type Program, examples } from '../base-program.ts'
import { answer, withJobs } from '../context.ts'
import { formatDuration } from '../progress/duration.ts'

export function addSandboxes(program: Program): void {
  const sandboxes = program
    .command('sandboxes')
    .description('the sandboxes of this deployment, and their owners')
  sandboxes
    .command('list')
    .description('each sandbox: state, age, owner, and what the reaper would do with it')
    .addHelpText(
      'after',
      examples('holdfast sandboxes list', "holdfast sandboxes list --json | jq '.sandboxes'"),
    )
    .action(async (_options, command) => {
      const globals = command.optsWithGlobals()
      const report = await withJobs(globals, (jobs) => jobs.sandboxes())
      answer(globals, report, () => table(report.sandboxes))
    })
  sandboxes
    .command('reap')
    .description('kill the sandboxes whose owner has ended; a schedule does so every 10 minutes')
    .option('--dry-run', 'say what would be killed', false)
    .addHelpText('after', examples('holdfast sandboxes reap --dry-run', 'holdfast sandboxes reap'))
    .action(async ({ dryRun }, command) => {
      const globals = command.optsWithGlobals()
      const report = await withJobs(globals, (jobs) => jobs.sandboxes({ reap: !dryRun }))
      const reaped = { ...report, sandboxes: report.sandboxes.filter(({ fate }) => fate === 'reap') }
      answer(globals, reaped, () => summary(reaped, dryRun))
    })
}

function summary({ sandboxes, reaped }: ReaperReport, dryRun: boolean): string {
  if (sandboxes.length === 0) return 'every sandbox has an owner, or is kept'
  return `${table(sandboxes)}\n${dryRun ? `${sandboxes.length} would be killed` : `${reaped} killed`}`
}

function table(rows: SandboxRow[]): string {
  if (rows.length === 0) return 'no sandboxes'
  const line = ({ sandboxId, state, ageMs, workflowId, owner, fate }: SandboxRow): string =>
    [
      sandboxId.padEnd(22),
      state.padEnd(8),
      formatDuration(ageMs).padStart(9),
      fate.padEnd(6),
      `${workflowId} (${owner})`,
    ].join('  ')
  return rows.map(line).join('\n')
}
