import pc from 'picocolors'
import type { HoldfastError, Job, JobResult } from '../index.ts'
import { remoteHead } from './remote.ts'

interface ReportOptions {
  job: Job
  outcome: { result: JobResult } | { error: HoldfastError }
  git: { url: string; token: string }
  uiUrl: string | undefined
  json: boolean
  write: (line: string) => void
}

/** Says what happened; with `json` also as the one line on stdout. */
export async function report({ job, outcome, git, uiUrl, json, write }: ReportOptions): Promise<void> {
  const [status, description] = await Promise.all([job.status(), job.describe()])
  const result = 'result' in outcome ? outcome.result : undefined
  const use = result?.sandbox ?? status.sandbox
  const head = await remoteHead(git.url, status.branch, git.token)
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
  write('')
  if ('error' in outcome)
    write(`  ${pc.red(outcome.error.type)}: ${outcome.error.message}\n  ${outcome.error.remedy}`)
  else write(`  ${pc.bold(result?.outcome === 'completed' ? pc.green('completed') : pc.yellow('rejected'))}`)
  write(`  Branch     ${status.branch}`)
  write(`  Commit     ${status.commit ?? 'none'}`)
  write(
    `  Remote     ${head ?? 'has no such branch'}${head && head === status.commit ? ', the same commit' : ''}`,
  )
  write(
    `  Sandbox    ran ${seconds(use.runningMs)}, paused ${seconds(use.pausedMs)}, resumed ${use.resumes} times`,
  )
  write(`  History    ${description.historyEvents} events`)
  if (uiUrl) write(`  UI         ${uiUrl}`)
  write('')
  if (!json) return
  const line = {
    workflowId: job.id,
    runId: description.runId,
    status: result?.outcome ?? 'failed',
    branch: status.branch,
    commit: status.commit,
    remoteHead: head,
    sandboxId: use.sandboxId,
    runningMs: use.runningMs,
    pausedMs: use.pausedMs,
    resumes: use.resumes,
    historyEvents: description.historyEvents,
    uiUrl: uiUrl ?? null,
    ...('error' in outcome && {
      error: { type: outcome.error.type, message: outcome.error.message, remedy: outcome.error.remedy },
    }),
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
