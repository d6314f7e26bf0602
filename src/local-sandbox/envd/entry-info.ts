import { lstat, readFile, realpath, stat } from 'node:fs/promises'
import type { Stats } from 'node:fs'
import { basename } from 'node:path'
import { Code, ConnectError } from '@connectrpc/connect'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { readMetadata } from './files/metadata.ts'
import { FileType, type EntryInfoSchema } from '../gen/filesystem_pb.js'

export type Entry = MessageInitShape<typeof EntryInfoSchema>

/** A path's EntryInfo. A link reports its target's type and mode, and no type when dangling. Throws `not_found`. */
export async function entryInfo(path: string): Promise<Entry> {
  const own = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    throw fileError(error, path)
  })
  const link = own.isSymbolicLink()
  const target = link ? await stat(path).catch(() => undefined) : own
  const symlinkTarget = link ? await realpath(path).catch(() => undefined) : undefined
  return {
    name: basename(path),
    path,
    type: fileType(target),
    size: BigInt(own.size),
    mode: (target ?? own).mode & 0o777,
    permissions: permissions(own),
    owner: await nameOf('/etc/passwd', own.uid),
    group: await nameOf('/etc/group', own.gid),
    modifiedTime: timestampFromMs(Math.floor(own.mtimeMs)),
    ...(symlinkTarget === undefined ? {} : { symlinkTarget }),
    metadata: await readMetadata(symlinkTarget ?? path),
  }
}

/** The RPC error for a file system error. */
export function fileError(error: NodeJS.ErrnoException, path: string): ConnectError {
  switch (error.code ?? '') {
    case 'ENOENT':
      return new ConnectError(`path not found: ${path}`, Code.NotFound)
    case 'ENOTDIR':
      return new ConnectError(`not a directory: ${path}`, Code.InvalidArgument)
    case 'EEXIST':
      return new ConnectError(`path already exists: ${path}`, Code.AlreadyExists)
    case 'ELOOP':
      return new ConnectError(`too many links: ${path}`, Code.FailedPrecondition)
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new ConnectError(`permission denied: ${path} (${error.code})`, Code.PermissionDenied)
    case 'ENOSPC':
    case 'EDQUOT':
      return new ConnectError(`no space left: ${path}`, Code.ResourceExhausted)
    default:
      return new ConnectError(`${path}: ${error.message}`, Code.Internal)
  }
}

function fileType(stats: Stats | undefined): FileType {
  if (stats?.isFile()) return FileType.FILE
  if (stats?.isDirectory()) return FileType.DIRECTORY
  return FileType.UNSPECIFIED
}

/** As Go's `FileMode.String` writes it: a letter for the kind and the special bits, then nine for the permissions. */
function permissions(stats: Stats): string {
  const flags = [
    [stats.isDirectory(), 'd'],
    [stats.isSymbolicLink(), 'L'],
    [stats.isBlockDevice() || stats.isCharacterDevice(), 'D'],
    [stats.isFIFO(), 'p'],
    [stats.isSocket(), 'S'],
    [(stats.mode & 0o4000) !== 0, 'u'],
    [(stats.mode & 0o2000) !== 0, 'g'],
    [stats.isCharacterDevice(), 'c'],
    [(stats.mode & 0o1000) !== 0, 't'],
  ] as const
  const kind = flags.map(([set, letter]) => (set ? letter : '')).join('') || '-'
  return (
    kind +
    'rwxrwxrwx'
      .split('')
      .map((letter, i) => (stats.mode & (0o400 >> i) ? letter : '-'))
      .join('')
  )
}

/** The name that `/etc/passwd` or `/etc/group` has for an id; the id itself where it has none. */
async function nameOf(file: string, id: number): Promise<string> {
  const lines = await readFile(file, 'utf8').catch(() => '')
  return (
    lines
      .split('\n')
      .find((line) => line.split(':')[2] === String(id))
      ?.split(':')[0] ?? String(id)
  )
}
