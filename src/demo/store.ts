import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** What the demo remembers from start to start, so that it can carry on. */
export interface DemoStore {
  /** The git host's token: made here, for here. */
  token: string
  /** The git host's port stands in the job's clone URL, so it stays. */
  gitPort: number
  /** The scripted model's port stands in the job's spec. */
  modelPort?: number
  /** Counts the demo's jobs; the current one carries it in its id. */
  job: number
}

export async function readStore(file: string): Promise<DemoStore> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return { token: randomBytes(18).toString('base64url'), gitPort: 0, job: 1 }
  return JSON.parse(text) as DemoStore
}

export async function writeStore(file: string, store: DemoStore): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(`${file}.new`, `${JSON.stringify(store)}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
}
