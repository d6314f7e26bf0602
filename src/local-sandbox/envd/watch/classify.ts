import { EventType } from '../../gen/filesystem_pb.js'

/** What a watch remembers of an entry. */
export interface Seen {
  identity: string
  directory: boolean
  /** Names that lead to it. */
  links: bigint
  size: bigint
  mtimeNs: bigint
  ctimeNs: bigint
}

/** Tells a file from another that took its name: the inode alone can be used again at once. */
export function identityOf(stats: { dev: bigint; ino: bigint; birthtimeNs: bigint }): string {
  return `${stats.dev}:${stats.ino}:${stats.birthtimeNs}`
}

/**
 * What happened to an entry. `rename` is told of what came or went, `change` of content and attributes. A change that
 * left no trace counts as a write: it is one whose effect an earlier look saw already, and no write may go untold.
 * Undefined: nothing new.
 */
export function classifyChange(
  kind: 'change' | 'rename',
  before: Seen | undefined,
  now: Seen | undefined,
): EventType | undefined {
  if (!now) return before && EventType.REMOVE
  if (!before || before.identity !== now.identity) return EventType.CREATE
  if (kind === 'rename') return undefined
  if (now.directory) return EventType.CHMOD
  const written = before.size !== now.size || before.mtimeNs !== now.mtimeNs
  const touched = before.ctimeNs !== now.ctimeNs
  return !written && touched ? EventType.CHMOD : EventType.WRITE
}

/**
 * What became of an entry that isn't where it was, by the links to it that there are now. A file that was linked elsewhere
 * since it was seen, which no watch is told, counts as moved when it is removed.
 */
export function classifyVanished(before: Seen, linksNow: bigint): EventType {
  // Those to a folder change with what is in it.
  const moved = before.directory ? linksNow > 0n : linksNow >= before.links && linksNow > 0n
  return moved ? EventType.RENAME : EventType.REMOVE
}
