import type { ReaperInput, ReaperReport } from '../contract/sandboxes.ts'
import { perform } from './lib/activities.ts'

/** Ends the sandboxes that no workflow owns any more. Run by a Temporal Schedule, and by hand. */
export async function sandboxReaper(input: ReaperInput): Promise<ReaperReport> {
  const summary = input.dryRun ? 'look for sandboxes without an owner' : 'kill sandboxes without an owner'
  const report = await perform('reapSandboxes', summary, input)
  return input.dryRun
    ? report
    : { ...report, sandboxes: report.sandboxes.filter(({ fate }) => fate === 'reap') }
}
