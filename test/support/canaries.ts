import type { WorkflowClient } from '@temporalio/client'
import { execa } from 'execa'

/** Everything by which a secret could be found again: as it is, and in base64 wherever it begins in what is encoded. */
export function formsOf(secret: string): string[] {
  const encoded = [0, 1, 2].map((before) => {
    const text = Buffer.from('x'.repeat(before) + secret).toString('base64')
    const whole = Math.floor(((before + secret.length) * 4) / 3)
    // What neighbours have a share in is left out.
    return text.slice(Math.ceil((before * 4) / 3), whole)
  })
  return [secret, ...encoded]
}

/** Files under the folders that hold one of the secrets. What git or a key has compressed or encrypted isn't seen. */
export async function filesWith(secrets: string[], folders: string[]): Promise<string[]> {
  const patterns = secrets.flatMap(formsOf).flatMap((form) => ['-e', form])
  // Files that vanish meanwhile hold nothing.
  const { stdout, exitCode, stderr } = await execa(
    'grep',
    [
      '--recursive',
      '--files-with-matches',
      '--fixed-strings',
      '--no-messages',
      '--devices=skip',
      ...patterns,
      ...folders,
    ],
    { reject: false, maxBuffer: 10_000_000, env: { LC_ALL: 'C' } },
  )
  if (exitCode === undefined) throw new Error(`grep did not run: ${stderr}`)
  return stdout.split('\n').filter((line) => line !== '')
}

/** Workflows of a task queue whose history holds one of the secrets. */
export async function historiesWith(
  secrets: string[],
  workflow: WorkflowClient,
  taskQueue: string,
): Promise<{ found: string[]; searched: number }> {
  const forms = secrets.flatMap(formsOf)
  const found: string[] = []
  let searched = 0
  for await (const { workflowId, runId } of workflow.list({ query: `TaskQueue = '${taskQueue}'` })) {
    const text = historyText(await workflow.getHandle(workflowId, runId).fetchHistory())
    searched++
    if (forms.some((form) => text.includes(form))) found.push(`${workflowId} ${runId}`)
  }
  return { found, searched }
}

/** A whole history as text, with every payload both as it is stored and decoded. */
export const historyText = (history: unknown): string =>
  JSON.stringify(history).replaceAll(
    /"data":"([A-Za-z0-9+/=]+)"/g,
    (whole, data: string) => `${whole}${Buffer.from(data, 'base64').toString('utf8')}`,
  )
