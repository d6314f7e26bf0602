import { lstat, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect'
import type { Filesystem } from '../../gen/filesystem_pb.js'
import { makeFolder } from '../account.ts'
import type { EnvdConfig } from '../config.ts'
import { accountOf, resolvePath } from '../context.ts'
import { entryInfo, fileError, type Entry } from '../entry-info.ts'
import { watchMethods } from './watch.ts'

/** E2B's filesystem service. */
export function filesystemService(config: EnvdConfig): ServiceImpl<typeof Filesystem> {
  const resolve = async (path: string, context: HandlerContext) => {
    const account = await accountOf(config, context.requestHeader)
    try {
      return resolvePath(config, account, path)
    } catch (error) {
      throw new ConnectError((error as Error).message, Code.InvalidArgument)
    }
  }
  return {
    ...watchMethods(resolve),

    stat: async ({ path }, context) => ({ entry: await entryInfo(await resolve(path, context)) }),

    makeDir: async ({ path }, context) => {
      const target = await resolve(path, context)
      const there = await stat(target).catch(() => undefined)
      if (there?.isDirectory())
        throw new ConnectError(`directory already exists: ${target}`, Code.AlreadyExists)
      if (there)
        throw new ConnectError(
          `path already exists but it is not a directory: ${target}`,
          Code.InvalidArgument,
        )
      const account = await accountOf(config, context.requestHeader)
      await mapped(target, () => makeFolder(target, account))
      return { entry: await entryInfo(target) }
    },

    move: async ({ source, destination }, context) => {
      const account = await accountOf(config, context.requestHeader)
      const [from, to] = [await resolve(source, context), await resolve(destination, context)]
      await mapped(from, () => lstat(from))
      await mapped(to, () => makeFolder(dirname(to), account))
      await mapped(to, () => rename(from, to))
      return { entry: await entryInfo(to) }
    },

    listDir: async ({ path, depth }, context) => {
      const root = await resolve(path, context)
      const found = await mapped(root, () => stat(root))
      if (!found.isDirectory())
        throw new ConnectError(`path is not a directory: ${root}`, Code.InvalidArgument)
      const entries: Entry[] = []
      await list(root, Math.max(depth, 1), entries)
      return { entries }
    },

    remove: async ({ path }, context) => {
      const target = await resolve(path, context)
      await mapped(target, () => rm(target, { recursive: true, force: true }))
      return {}
    },
  }
}

/** Depth first, in lexical order, without following links; an entry that vanishes meanwhile is skipped. */
async function list(directory: string, depth: number, entries: Entry[]): Promise<void> {
  const children = await mapped(directory, () => readdir(directory, { withFileTypes: true }))
  children.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
  for (const child of children) {
    const path = join(directory, child.name)
    const entry = await entryInfo(path).catch(skipVanished)
    if (!entry) continue
    entries.push(entry)
    if (child.isDirectory() && depth > 1) await list(path, depth - 1, entries).catch(skipVanished)
  }
}

function skipVanished(error: unknown): undefined {
  if (!(error instanceof ConnectError && error.code === Code.NotFound)) throw error
}

async function mapped<T>(path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw fileError(error as NodeJS.ErrnoException, path)
  }
}
