import { lstatSync, readdirSync, watch, type FSWatcher } from 'node:fs'
import { join, relative } from 'node:path'
import { EventType } from '../../gen/filesystem_pb.js'
import { classifyChange, classifyVanished, identityOf, type Seen } from './classify.ts'
import { hold, linksTo, release } from './hold.ts'

export interface WatchEvent {
  /** Relative to the watched directory. */
  name: string
  path: string
  type: EventType
}

/** `held` keeps it within reach. */
type Child = Seen & { held?: number | undefined }

// The kernel tells the two halves of a move one after the other, but a reader can come between them.
const movePairMs = 10

/**
 * Watches a directory, and with `recursive` all below it, those made later included. Node tells only "change" and
 * "rename", so what happened is worked out from what was there before. Links are not followed.
 */
export class DirectoryWatch {
  #root: string
  #recursive: boolean
  #onEvent: (event: WatchEvent) => void
  #onFailure: (error: NodeJS.ErrnoException) => void
  #watchers = new Map<string, FSWatcher>()
  #seen = new Map<string, Map<string, Child>>()
  /** Told in order: one that vanished out of reach holds back what comes after it until it's known whether it was moved. */
  #heldBack: { event: WatchEvent; vanished?: string }[] = []
  #release: NodeJS.Timeout | undefined

  /** Throws the file system's error where `root` can't be watched. */
  constructor(
    root: string,
    recursive: boolean,
    onEvent: (event: WatchEvent) => void,
    onFailure: (error: NodeJS.ErrnoException) => void,
  ) {
    this.#root = root
    this.#recursive = recursive
    this.#onEvent = onEvent
    this.#onFailure = onFailure
    try {
      this.#add(root, false)
    } catch (error) {
      this.close()
      throw error
    }
  }

  close(): void {
    clearTimeout(this.#release)
    this.#heldBack = []
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
    for (const directory of this.#seen.keys()) this.#forget(directory)
  }

  /** Watches before it lists, so nothing falls in between; `tell` reports what is there already as created. */
  #add(directory: string, tell: boolean): void {
    const watcher = watch(directory, (kind, name) => {
      if (name !== null && this.#watchers.get(directory) === watcher) this.#changed(directory, name, kind)
    })
    watcher.on('error', (error) => this.#onFailure(error))
    this.#watchers.set(directory, watcher)
    const children = new Map<string, Child>()
    this.#seen.set(directory, children)
    for (const name of readdirSync(directory)) {
      const now = look(join(directory, name))
      if (!now) continue
      children.set(name, { ...now, held: hold(join(directory, name)) })
      if (tell) this.#emit(directory, name, EventType.CREATE)
      if (now.directory && this.#recursive) this.#addVanishing(join(directory, name), tell)
    }
  }

  #addVanishing(directory: string, tell: boolean): void {
    try {
      this.#add(directory, tell)
    } catch (error) {
      this.#remove(directory)
      const { code } = error as NodeJS.ErrnoException
      // What is gone again, or is another user's, isn't a failure of the watch.
      if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'EACCES') throw error
    }
  }

  #remove(directory: string): void {
    for (const [path, watcher] of this.#watchers)
      if (path === directory || path.startsWith(`${directory}/`)) {
        watcher.close()
        this.#watchers.delete(path)
        this.#forget(path)
      }
  }

  #forget(directory: string): void {
    for (const { held } of this.#seen.get(directory)?.values() ?? []) release(held)
    this.#seen.delete(directory)
  }

  #changed(directory: string, name: string, kind: 'change' | 'rename'): void {
    const path = join(directory, name)
    const children = this.#seen.get(directory)!
    const [before, now] = [children.get(name), look(path)]
    const type = classifyChange(kind, before, now)
    const held = before?.identity === now?.identity ? before?.held : now && hold(path)
    if (now) children.set(name, { ...now, held })
    else children.delete(name)
    const links = now || before?.held === undefined ? undefined : linksTo(before.held)
    if (held !== before?.held) release(before?.held)
    if (type === undefined) return
    const replaced = type === EventType.REMOVE || type === EventType.CREATE
    if (before?.directory && replaced) this.#remove(path)
    if (type === EventType.REMOVE && links !== undefined)
      return this.#emit(directory, name, classifyVanished(before!, links))
    if (type === EventType.REMOVE) return this.#holdBack(directory, name, before!)
    if (type === EventType.CREATE) this.#moved(now!.identity)
    this.#emit(directory, name, type)
    if (type !== EventType.CREATE || !now!.directory || !this.#recursive) return
    try {
      this.#addVanishing(path, true)
    } catch (error) {
      this.#onFailure(error as NodeJS.ErrnoException)
    }
  }

  #holdBack(directory: string, name: string, before: Seen): void {
    this.#heldBack.push({ event: this.#event(directory, name, EventType.REMOVE), vanished: before.identity })
    this.#release ??= setTimeout(() => this.#flush(), movePairMs)
  }

  #moved(identity: string): void {
    const from = this.#heldBack.find(({ vanished }) => vanished === identity)
    if (from) from.event.type = EventType.RENAME
  }

  #emit(directory: string, name: string, type: EventType): void {
    const event = this.#event(directory, name, type)
    if (this.#heldBack.length === 0) this.#onEvent(event)
    else this.#heldBack.push({ event })
  }

  #event(directory: string, name: string, type: EventType): WatchEvent {
    const path = join(directory, name)
    return { name: relative(this.#root, path), path, type }
  }

  #flush(): void {
    this.#release = undefined
    const held = this.#heldBack
    this.#heldBack = []
    for (const { event } of held) this.#onEvent(event)
  }
}

function look(path: string): Seen | undefined {
  try {
    const stats = lstatSync(path, { bigint: true })
    return {
      identity: identityOf(stats),
      directory: stats.isDirectory(),
      links: stats.nlink,
      size: stats.size,
      mtimeNs: stats.mtimeNs,
      ctimeNs: stats.ctimeNs,
    }
  } catch {
    return undefined
  }
}
