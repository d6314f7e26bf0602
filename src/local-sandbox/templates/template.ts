import type { StartCommand } from '../sandboxes/start-command.ts'

/** One disk that sandboxes can start from. */
export interface Build {
  buildID: string
  /** RFC 3339. */
  createdAt: string
  /** Sandbox that it is a snapshot of; undefined where a template build made it. */
  sandboxID?: string | undefined
  /** Sandbox-wide variables that come with it. */
  envVars: Record<string, string>
  /** Where commands run that name no folder. */
  workdir?: string | undefined
  start?: StartCommand | undefined
}

export interface Tag {
  tag: string
  buildID: string
  createdAt: string
}

/** Disks under one name: made by snapshots, or by template builds. */
export interface Template {
  templateID: string
  name: string | undefined
  createdAt: string
  updatedAt: string
  lastSpawnedAt: string | null
  spawnCount: number
  /** Those that have a tag, and no others. */
  builds: Build[]
  tags: Tag[]
}

/** The template with this build under these tags; builds that lose their last one go. */
export function withBuild(template: Template, build: Build, tags: string[]): Template {
  return withTags({ ...template, builds: [...template.builds, build] }, build.buildID, tags)
}

/** The template with tags moved to one of its builds. */
export function withTags(template: Template, buildID: string, tags: string[]): Template {
  const createdAt = new Date().toISOString()
  const moved = tags.map((tag) => ({ tag, buildID, createdAt }))
  return pruned({ ...template, tags: [...template.tags.filter(({ tag }) => !tags.includes(tag)), ...moved] })
}

/** The template without these tags; undefined where none is left. */
export function withoutTags(template: Template, tags: string[]): Template | undefined {
  const left = pruned({ ...template, tags: template.tags.filter(({ tag }) => !tags.includes(tag)) })
  return left.tags.length === 0 ? undefined : left
}

function pruned(template: Template): Template {
  const used = new Set(template.tags.map(({ buildID }) => buildID))
  const builds = template.builds.filter(({ buildID }) => used.has(buildID))
  return { ...template, builds, updatedAt: new Date().toISOString() }
}
