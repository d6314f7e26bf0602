import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { WorkflowClient } from '@temporalio/client'
import { execa } from 'execa'
import { unpacked } from './unpack.ts'

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

/** Files under the folders that hold one of the secrets, also where it is compressed. What a key has encrypted isn't seen. */
export async function filesWith(secrets: string[], folders: string[]): Promise<string[]> {
  const [plain, packed] = await Promise.all([plainIn(secrets, folders), packedIn(secrets, folders)])
  return [...new Set([...plain, ...packed])]
}

async function packedIn(secrets: string[], folders: string[]): Promise<string[]> {
  const forms = secrets.flatMap(formsOf)
  const found: string[] = []
  // Sandboxes have much in common.
  const clean = new Set<string>()
  for (const path of (await Promise.all(folders.map(filesIn))).flat()) {
    // One that has vanished meanwhile holds nothing.
    const content = await readFile(path).catch(() => undefined)
    if (!content) continue
    const hash = createHash('sha1').update(content).digest('hex')
    if (clean.has(hash)) continue
    if (holds(unpacked(content), forms)) found.push(path)
    else clean.add(hash)
  }
  return found
}

function holds(contents: Iterable<Buffer>, forms: string[]): boolean {
  for (const content of contents) if (forms.some((form) => content.includes(form))) return true
  return false
}

/** Files that hold something. Of images of disks only what is mounted is looked at: they are mostly holes. */
async function filesIn(folder: string): Promise<string[]> {
  const { stdout } = await execa('find', [folder, '-type', 'f', '-size', '+0', '!', '-name', '*.ext4'], {
    reject: false,
    maxBuffer: 100_000_000,
  })
  return stdout.split('\n').filter((line) => line !== '')
}

async function plainIn(secrets: string[], folders: string[]): Promise<string[]> {
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
      // Sandboxes' disks are mounted beside these.
      '--exclude=*.ext4',
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
