import { randomUUID } from 'node:crypto'
import { createExclusive } from '../exclusive.ts'
import { HttpError } from '../http.ts'
import type { StartCommand } from '../sandboxes/start-command.ts'
import { randomId } from '../random-id.ts'
import { defaultTag, parseName } from './name.ts'
import { TemplateStore } from './store.ts'
import { withBuild, withoutTags, type Build, type Template } from './template.ts'

// They are the one system that there is here, with or without what interprets code.
const builtIn = ['base', 'code-interpreter-v1']

/** What a new sandbox starts from; `disk` undefined is an empty one. */
export interface Origin {
  templateID: string
  alias: string | undefined
  disk: string | undefined
  envVars: Record<string, string>
  workdir: string | undefined
  start: StartCommand | undefined
}

/** All templates of a server. */
export class Templates {
  #all = new Map<string, Template>()
  // Of names that have been asked for. All builds of a name, begun at once or not, are of one template.
  #ids = new Map<string, string>()
  #store: TemplateStore
  #exclusive = createExclusive()

  constructor(dir: string) {
    this.#store = new TemplateStore(dir)
  }

  async load(): Promise<void> {
    for (const template of await this.#store.load()) this.#all.set(template.templateID, template)
  }

  /** Newest first, without the built-in ones. */
  all(): Template[] {
    return [...this.#all.values()].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
  }

  find(text: string): Template | undefined {
    const { name, tag } = parseName(text)
    const template = this.#all.get(name) ?? this.all().find((template) => template.name === name)
    return tag === undefined || template?.tags.some((known) => known.tag === tag) ? template : undefined
  }

  /** Throws HttpError 404 where there is none. */
  get(text: string): Template {
    const template = this.find(text)
    if (template) return template
    const known = [...builtIn, ...this.all().map(({ name, templateID }) => name ?? templateID)]
    throw new HttpError(404, `template '${text}' not found; there is ${known.join(', ')}`)
  }

  isBuiltIn(text: string): boolean {
    const { name, tag } = parseName(text)
    return builtIn.includes(name) && (tag ?? defaultTag) === defaultTag
  }

  /** What a sandbox of this template starts from. Throws HttpError 404. */
  async spawn(text: string): Promise<Origin> {
    if (this.isBuiltIn(text)) {
      const { name } = parseName(text)
      const nothing = { disk: undefined, envVars: {}, workdir: undefined, start: undefined }
      return { templateID: name, alias: name, ...nothing }
    }
    const template = this.get(text)
    const wanted = parseName(text).tag ?? defaultTag
    const buildID = template.tags.find(({ tag }) => tag === wanted)?.buildID
    const build = template.builds.find((build) => build.buildID === buildID)
    if (!build) throw new HttpError(404, `template '${text}': has no build tagged '${wanted}'`)
    const lastSpawnedAt = new Date().toISOString()
    await this.change(template.templateID, (now) => ({
      ...now,
      lastSpawnedAt,
      spawnCount: now.spawnCount + 1,
    }))
    const { templateID, name: alias } = template
    const { buildID: id, envVars, workdir, start } = build
    return { templateID, alias, disk: this.#store.disk(templateID, id), envVars, workdir, start }
  }

  /**
   * Makes a build of a template, new or existing, once `write` has filled its folder. Throws what that throws, and
   * leaves nothing then. A build that has had all these tags until now goes.
   */
  async addBuild(
    wish: Omit<Build, 'buildID' | 'createdAt'> & Pick<Template, 'name'> & { tags: string[] },
    write: (folder: string) => Promise<void>,
    buildID: string = randomUUID(),
  ): Promise<Template> {
    const templateID = wish.name === undefined ? randomId() : this.idFor(wish.name)
    try {
      await write(this.#store.disk(templateID, buildID))
      const createdAt = new Date().toISOString()
      const { name, tags, ...content } = wish
      const times = { createdAt, updatedAt: createdAt, lastSpawnedAt: null }
      const empty: Template = { templateID, name, ...times, spawnCount: 0, builds: [], tags: [] }
      const build = { buildID, createdAt, ...content }
      return (await this.change(templateID, (now) => withBuild(now ?? empty, build, tags), empty))!
    } catch (error) {
      await this.#store.removeBuild(templateID, buildID)
      throw error
    }
  }

  /** Id of the template of this name, or of the one to be. */
  idFor(name: string): string {
    const known = this.all().find((template) => template.name === name)?.templateID
    const id = known ?? this.#ids.get(name) ?? randomId()
    this.#ids.set(name, id)
    return id
  }

  /** Where the archive of files with this hash is kept for builds of a template, until the next start. */
  filesPath(templateID: string, hash: string): string {
    return this.#store.disk(templateID, `files-${hash}`)
  }

  /** Takes tags away; a template without any is gone. */
  async removeTags({ templateID }: Template, tags: string[]): Promise<void> {
    await this.change(templateID, (now) => withoutTags(now, tags))
  }

  /** Changes a template (or `absent`, where there is none of that id), one change after the other. */
  change(
    templateID: string,
    to: (now: Template) => Template | undefined,
    absent?: Template,
  ): Promise<Template | undefined> {
    return this.#exclusive(async () => {
      const before = this.#all.get(templateID) ?? absent
      if (!before) throw new HttpError(404, `template '${templateID}' not found`)
      const after = to(before)
      if (after) {
        await this.#store.save(after)
        this.#all.set(templateID, after)
        const kept = after.builds.map(({ buildID }) => buildID)
        for (const { buildID } of before.builds)
          if (!kept.includes(buildID)) await this.#store.removeBuild(templateID, buildID)
      } else {
        this.#all.delete(templateID)
        await this.#store.remove(templateID)
      }
      return after
    })
  }
}
