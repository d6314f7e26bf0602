import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Template } from './template.ts'

const recordName = 'template.json'
// Where a server died the copying goes on for a moment, and puts more into folders that are being removed.
const patiently = { recursive: true, force: true, maxRetries: 20 }

/** Templates as folders: a record, and beside it the disk of each build. */
export class TemplateStore {
  #dir: string

  constructor(dir: string) {
    this.#dir = dir
  }

  /** All templates; disks that no record names are deleted. */
  async load(): Promise<Template[]> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 })
    const found: Template[] = []
    for (const templateID of await readdir(this.#dir)) {
      const text = await readFile(join(this.#dir, templateID, recordName), 'utf8').catch(() => undefined)
      if (text !== undefined) found.push(JSON.parse(text) as Template)
      await this.#sweep(templateID, found.at(-1))
    }
    return found
  }

  /** Folder of a build's disk. */
  disk(templateID: string, buildID: string): string {
    return join(this.#dir, templateID, buildID)
  }

  /** Saves a template, and deletes disks of builds that it no longer has. */
  async save(template: Template): Promise<void> {
    const folder = join(this.#dir, template.templateID)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const path = join(folder, recordName)
    await writeFile(`${path}.draft`, JSON.stringify(template), { mode: 0o600 })
    await rename(`${path}.draft`, path)
  }

  async removeBuild(templateID: string, buildID: string): Promise<void> {
    await rm(this.disk(templateID, buildID), patiently)
  }

  /** The record first: a template without one is gone, whatever else is left of it. */
  async remove(templateID: string): Promise<void> {
    await rm(join(this.#dir, templateID, recordName), { force: true })
    await rm(join(this.#dir, templateID), patiently)
  }

  async #sweep(templateID: string, template: Template | undefined): Promise<void> {
    if (template?.templateID !== templateID) return this.remove(templateID)
    const kept = new Set([recordName, ...template.builds.map(({ buildID }) => buildID)])
    for (const name of await readdir(join(this.#dir, templateID)))
      if (!kept.has(name)) await this.removeBuild(templateID, name)
  }
}
