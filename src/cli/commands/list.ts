import type { JobSummary } from '../../client/jobs.ts'
import { type Program, examples } from '../base-program.ts'
import { answer, withJobs } from '../context.ts'
import { wholeNumber } from '../numbers.ts'
import { formatList } from '../status-text.ts'
import { colorsFor } from '../terminal.ts'

export function addList(program: Program): void {
  program
    .command('list')
    .description('jobs, newest first')
    .option('--query <filter>', "a further condition, in Temporal's list filter")
    .option('--limit <number>', 'at most so many', wholeNumber, 20)
    .addHelpText(
      'after',
      examples(
        'holdfast list',
        `holdfast list --query 'ExecutionStatus = "Running"' --limit 5`,
        "holdfast list --json | jq -r '.[].id'",
      ),
    )
    .action(async ({ query, limit }, command) => {
      const globals = command.optsWithGlobals()
      const jobs = await withJobs(globals, async (client) => {
        const found: JobSummary[] = []
        for await (const job of client.list({ limit, ...(query && { query }) })) found.push(job)
        return found
      })
      answer(globals, jobs, () => formatList(jobs, Date.now(), colorsFor(process.stdout)))
    })
}
