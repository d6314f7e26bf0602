import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { EventType, type Filesystem, type FilesystemEventSchema } from '../../gen/filesystem_pb.js'
import { entryInfo, fileError } from '../entry-info.ts'
import { EventQueue, idle } from '../event-queue.ts'
import { keepAliveInterval } from '../keep-alive.ts'
import { DirectoryWatch, type WatchEvent } from '../watch/directory-watch.ts'

type Event = MessageInitShape<typeof FilesystemEventSchema>
type Methods = 'watchDir' | 'createWatcher' | 'getWatcherEvents' | 'removeWatcher'

interface WatchRequest {
  path: string
  recursive: boolean
  includeEntry: boolean
}

// A reader that doesn't keep up is told so instead of filling the memory.
const maxWaiting = 10_000
const maxWatchers = 1000

/** The filesystem service's watches: streamed, and polled by id. `resolve` checks the user and makes paths absolute. */
export function watchMethods(
  resolve: (path: string, context: HandlerContext) => Promise<string>,
): Pick<ServiceImpl<typeof Filesystem>, Methods> {
  const watchers = new Map<string, Waiting>()
  const find = (id: string) => {
    const found = watchers.get(id)
    if (!found) throw new ConnectError(`watcher with id ${id} not found`, Code.NotFound)
    return found
  }
  return {
    async *watchDir(request, context) {
      const waiting = await open(await resolve(request.path, context), request)
      const keepAliveMs = keepAliveInterval(context)
      try {
        yield { event: { case: 'start', value: {} } }
        for (;;) {
          const event = await waiting.queue.next(keepAliveMs, context.signal)
          if (event === undefined) throw context.signal.reason
          if (event === idle) yield { event: { case: 'keepalive', value: {} } }
          else if ('failure' in event) throw event.failure
          else yield { event: { case: 'filesystem', value: await event.told } }
        }
      } finally {
        waiting.close()
      }
    },

    async createWatcher(request, context) {
      const path = await resolve(request.path, context)
      if (watchers.size >= maxWatchers)
        throw new ConnectError(`${maxWatchers} watchers are open; remove some`, Code.ResourceExhausted)
      const watcherId = randomUUID()
      watchers.set(watcherId, await open(path, request))
      return { watcherId }
    },

    async getWatcherEvents({ watcherId }) {
      const { queue } = find(watcherId)
      const told: Promise<Event>[] = []
      for (const item of queue.drain()) {
        if ('told' in item) {
          told.push(item.told)
          continue
        }
        // Told again at every later call: what was missed doesn't come back.
        queue.push(item)
        throw item.failure
      }
      return { events: await Promise.all(told) }
    },

    removeWatcher({ watcherId }) {
      find(watcherId).close()
      watchers.delete(watcherId)
      return {}
    },
  }
}

interface Waiting {
  queue: EventQueue<{ told: Promise<Event> } | { failure: ConnectError }>
  close: () => void
}

async function open(path: string, { recursive, includeEntry }: WatchRequest): Promise<Waiting> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw fileError(error, path)
  })
  if (!found.isDirectory()) throw new ConnectError(`path is not a directory: ${path}`, Code.InvalidArgument)
  const queue: Waiting['queue'] = new EventQueue(() => undefined)
  const fail = (failure: ConnectError) => {
    watch.close()
    queue.push({ failure })
  }
  const onEvent = (event: WatchEvent) => {
    if (queue.length < maxWaiting) return queue.push({ told: describe(event, includeEntry) })
    fail(new ConnectError(`${maxWaiting} events wait unread; watch again`, Code.ResourceExhausted))
  }
  let watch: DirectoryWatch
  try {
    watch = new DirectoryWatch(path, recursive, onEvent, (error) => fail(watchError(error, path)))
  } catch (error) {
    throw watchError(error as NodeJS.ErrnoException, path)
  }
  return { queue, close: () => watch.close() }
}

/** The entry is what it is at the event, where it is there still. */
async function describe({ name, path, type }: WatchEvent, includeEntry: boolean): Promise<Event> {
  const told = [EventType.CREATE, EventType.WRITE, EventType.CHMOD].includes(type)
  const entry = includeEntry && told ? await entryInfo(path).catch(() => undefined) : undefined
  return { name, type, ...(entry ? { entry } : {}) }
}

function watchError(error: NodeJS.ErrnoException, path: string): ConnectError {
  if (error.code !== 'ENOSPC' && error.code !== 'EMFILE') return fileError(error, path)
  const remedy = "raise the host's fs.inotify.max_user_watches and max_user_instances, or watch fewer folders"
  return new ConnectError(`no more watches can be made (${error.code}); ${remedy}`, Code.ResourceExhausted)
}
