import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { relative, sep } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type { WorkflowClient } from '@temporalio/client'
import protocol from '@temporalio/proto'
import { execa } from 'execa'
import { folderBlobs } from '../../src/blobs/folder.ts'
import { encryptedBlobs } from '../../src/payloads/encrypted-blobs.ts'
import { EncryptionCodec } from '../../src/payloads/encryption.ts'
import { type KeyRing, NO_KEYS } from '../../src/payloads/keys.ts'
import { payloadsIn, toPayload } from './payloads.ts'
import { unpacked } from './unpack.ts'

/**
 * Everything by which a secret could be found again: as it is, and in base64 wherever it begins in what is encoded. Only its middle is looked
 * for: what stands before or after it may share some characters with another text, and git then keeps those apart from the rest.
 */
export function formsOf(secret: string): string[] {
  const edge = Math.floor(secret.length / 4)
  const middle = secret.slice(edge, secret.length - edge)
  const encoded = [0, 1, 2].map((before) => {
    const text = Buffer.from('x'.repeat(before) + middle).toString('base64')
    const whole = Math.floor(((before + middle.length) * 4) / 3)
    // What neighbours have a share in is left out.
    return text.slice(Math.ceil((before * 4) / 3), whole)
  })
  return [middle, ...encoded]
}

/** Files under the folders that hold one of the secrets, also where it is compressed. */
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
  const images = ['*.ext4', '*.xfs'].flatMap((name) => ['!', '-name', name])
  const { stdout } = await execa('find', [folder, '-type', 'f', '-size', '+0', ...images], {
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
      '--exclude=*.xfs',
      ...patterns,
      ...folders,
    ],
    { reject: false, maxBuffer: 10_000_000, env: { LC_ALL: 'C' } },
  )
  if (exitCode === undefined) throw new Error(`grep did not run: ${stderr}`)
  return stdout.split('\n').filter((line) => line !== '')
}

/** Names of the texts that hold one of the secrets. */
export function textsWith(secrets: string[], texts: Record<string, string>): string[] {
  const forms = secrets.flatMap(formsOf)
  return Object.entries(texts).flatMap(([name, text]) =>
    forms.some((form) => text.includes(form)) ? [name] : [],
  )
}

/** Blobs of the folder that hold one of the secrets in what is encrypted with one of the keys. */
export async function sealedBlobsWith(secrets: string[], folder: string, keys: KeyRing): Promise<string[]> {
  if (keys.size === 0) return []
  const forms = secrets.flatMap(formsOf)
  const store = encryptedBlobs(folderBlobs(folder), keys)
  const found: string[] = []
  // Drafts are what somebody was killed over.
  for (const path of (await filesIn(folder)).filter((file) => !file.endsWith('.draft'))) {
    const name = relative(folder, path).replaceAll(sep, '/')
    const content = await buffer(await store.get(name))
    const plain = name.includes('/payloads/') ? await payloadOf(content, keys) : content
    if (holds([plain, ...unpacked(plain)], forms)) found.push(path)
  }
  return found
}

async function payloadOf(content: Buffer, keys: KeyRing): Promise<Buffer> {
  const stored = protocol.temporal.api.common.v1.Payload.decode(content)
  const [payload] = await new EncryptionCodec(keys).decode([stored])
  return Buffer.from(payload?.data ?? [])
}

/** Workflows of a task queue whose history holds one of the secrets. @param keys open what is encrypted */
export async function historiesWith(
  secrets: string[],
  workflow: WorkflowClient,
  taskQueue: string,
  keys: KeyRing = NO_KEYS,
): Promise<string[]> {
  const forms = secrets.flatMap(formsOf)
  const codec = new EncryptionCodec(keys)
  const found: string[] = []
  for await (const { workflowId, runId } of workflow.list({ query: `TaskQueue = '${taskQueue}'` })) {
    const history = await workflow.getHandle(workflowId, runId).fetchHistory()
    const decoded =
      keys.size > 0 ? await codec.decode(payloadsIn(JSON.parse(JSON.stringify(history))).map(toPayload)) : []
    const text =
      historyText(history) + decoded.map(({ data }) => Buffer.from(data ?? []).toString()).join('\n')
    if (forms.some((form) => text.includes(form))) found.push(`${workflowId} ${runId}`)
  }
  return found
}

/** A whole history as text, with every payload both as it is stored and decoded. */
export const historyText = (history: unknown): string =>
  JSON.stringify(history).replaceAll(
    /"data":"([A-Za-z0-9+/=]+)"/g,
    (whole, data: string) => `${whole}${Buffer.from(data, 'base64').toString('utf8')}`,
  )
