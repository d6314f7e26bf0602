import { MAX_FILE_BYTES } from '../contract/operations/files.ts'
import type { FileInfo } from '../contract/operations/results.ts'
import type { EntryInfo } from './lib/e2b.ts'
import { failure } from '../contract/failure.ts'
import type { Family } from './lib/operation.ts'
import { watchDirectory } from './lib/watch.ts'

/** Files of the sandbox through E2B's `files`. All but the watch find what an earlier run did, and do it no harm. */
export const fileOperations = {
  /** `files.read`. Reads only. @throws `FileNotFound`; `TooLarge` above 1 MiB */
  'files.read': (use, { path, encoding, user }) =>
    use.sdk(async (sandbox) => {
      const bytes = await bounded(await sandbox.files.read(path, { ...by(user), format: 'stream' }), path)
      return {
        content: encoding === 'utf8' ? use.deps.secrets.redact(bytes.toString()) : bytes.toString('base64'),
      }
    }),

  /** `files.write`. A second run writes the same again. @throws `SandboxNoSpace` */
  'files.write': (use, { path, content, encoding, user }) =>
    use.sdk(async (sandbox) => {
      const written = await sandbox.files.write(path, dataOf(content, encoding), by(user))
      return { path: written.path }
    }),

  /** `files.writeFiles`. A second run writes the same again. */
  'files.writeFiles': (use, { files, user }) =>
    use.sdk(async (sandbox) => {
      const entries = files.map(({ path, content, encoding }) => ({ path, data: dataOf(content, encoding) }))
      const written = await sandbox.files.writeFiles(entries, by(user))
      return { paths: written.map(({ path }) => path) }
    }),

  /** `files.list`. Reads only. */
  'files.list': (use, { path, depth, limit, user }) =>
    use.sdk(async (sandbox) => {
      const entries = await sandbox.files.list(path, { depth, ...by(user) })
      return { entries: entries.slice(0, limit).map(fileInfo), truncated: entries.length > limit }
    }),

  /** `files.makeDir`. A second run finds it made, and says `created: false`. */
  'files.makeDir': (use, { path, user }) =>
    use.sdk(async (sandbox) => ({ created: await sandbox.files.makeDir(path, by(user)) })),

  /** `files.remove`, of a folder with all in it. A second run finds nothing, which is success. */
  'files.remove': (use, { path, user }) => use.sdk((sandbox) => sandbox.files.remove(path, by(user))),

  /** `files.rename`. A second run finds the old path gone and the new one there, which is success. */
  'files.rename': (use, { oldPath, newPath, user }) =>
    use.sdk(async (sandbox) => {
      const moved = use.again && !(await sandbox.files.exists(oldPath, by(user)))
      return fileInfo(
        moved
          ? await sandbox.files.getInfo(newPath, by(user))
          : await sandbox.files.rename(oldPath, newPath, by(user)),
      )
    }),

  /** `files.exists`. Reads only. */
  'files.exists': (use, { path, user }) =>
    use.sdk(async (sandbox) => ({ exists: await sandbox.files.exists(path, by(user)) })),

  /** `files.getInfo`. Reads only. @throws `FileNotFound` */
  'files.getInfo': (use, { path, user }) =>
    use.sdk(async (sandbox) => fileInfo(await sandbox.files.getInfo(path, by(user)))),

  /** `files.watchDir` for a time. A second run watches for what is left of it; what happened in between it doesn't know. */
  'files.watchDir': (use, { path, recursive, timeoutMs, maxEvents, signal, user }) =>
    use.sdk((sandbox) =>
      watchDirectory(
        (onEvent, onExit) => {
          const options = { recursive, timeoutMs: 0, onExit, ...by(user) }
          return sandbox.files.watchDir(path, ({ name, type }) => onEvent({ name, type }), options)
        },
        { timeoutMs, maxEvents },
        signal ? (events) => use.signal(signal, events) : undefined,
      ),
    ),
} satisfies Family<'files'>

/** @throws `TooLarge` as soon as there are too many */
async function bounded(stream: ReadableStream<Uint8Array>, path: string): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of stream) {
    size += part.length
    if (size > MAX_FILE_BYTES) throw failure('TooLarge', `${path} has more than ${MAX_FILE_BYTES} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts)
}

const by = (user: string | undefined): { user?: string } => (user ? { user } : {})

const dataOf = (content: string, encoding: 'utf8' | 'base64'): string | ArrayBuffer =>
  encoding === 'utf8' ? content : new Uint8Array(Buffer.from(content, 'base64')).buffer

const fileInfo = (entry: EntryInfo): FileInfo => ({
  name: entry.name,
  path: entry.path,
  type: String(entry.type) === 'dir' ? 'dir' : 'file',
  size: entry.size,
  mode: entry.mode,
  permissions: entry.permissions,
  owner: entry.owner,
  group: entry.group,
  ...(entry.modifiedTime && { modifiedAt: entry.modifiedTime.getTime() }),
  ...(entry.symlinkTarget && { symlinkTarget: entry.symlinkTarget }),
})
