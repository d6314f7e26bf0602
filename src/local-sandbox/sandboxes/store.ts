import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SandboxRecord } from './record.ts'

/** Sandbox records as files. A record on disk is always a whole one. */
export class RecordStore {
  #dir: string

  constructor(dir: string) {
    this.#dir = dir
  }

  async save(record: SandboxRecord): Promise<void> {
    const path = this.#path(record.sandboxID)
    await writeFile(`${path}.draft`, JSON.stringify(record), { mode: 0o600 })
    await rename(`${path}.draft`, path)
  }

  async remove(sandboxId: string): Promise<void> {
    await rm(this.#path(sandboxId), { force: true })
  }

  async all(): Promise<SandboxRecord[]> {
    const names = (await readdir(this.#dir)).filter((name) => name.endsWith('.json'))
    return Promise.all(
      names.map(async (name) => JSON.parse(await readFile(join(this.#dir, name), 'utf8')) as SandboxRecord),
    )
  }

  #path(sandboxId: string): string {
    return join(this.#dir, `${sandboxId}.json`)
  }
}
