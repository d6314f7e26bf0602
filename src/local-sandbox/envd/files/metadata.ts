import type { IncomingHttpHeaders } from 'node:http'
import type * as xattr from '@napi-rs/xattr'
import nativeBytes from 'holdfast:xattr.node'
import { HttpError } from '../../http.ts'
import { loadNative } from '../native.ts'

/** A file's own key-value pairs, kept as extended attributes `user.e2b.<key>`, so they move and end with the file. */
export type Metadata = Record<string, string>

const headerPrefix = 'x-metadata-'
const attributePrefix = 'user.e2b.'
const maxKeyBytes = 246
const maxTotalBytes = 4096

/** What is used of `@napi-rs/xattr`. */
type Attributes = Pick<typeof xattr, 'getAttribute' | 'listAttributes' | 'removeAttribute' | 'setAttribute'>

let attributes: Attributes | undefined

/** To be called first. `runDir` takes the native part; where this machine has none, files have no metadata. */
export function prepareMetadata(runDir: string): void {
  if (nativeBytes.length > 0) attributes = loadNative('xattr', nativeBytes, runDir) as Attributes
}

/** What an upload's `X-Metadata-<key>` headers say. Throws HttpError 400 beyond what attributes can hold. */
export function metadataOf(headers: IncomingHttpHeaders): Metadata {
  const pairs = Object.entries(headers)
    .filter(([name]) => name.startsWith(headerPrefix))
    .map(([name, value]) => [name.slice(headerPrefix.length), String(value)] as const)
  for (const [key, value] of pairs) {
    if (key.length === 0 || key.length > maxKeyBytes)
      throw new HttpError(400, `X-Metadata-${key}: a key has 1 to ${maxKeyBytes} bytes`)
    if (!/^[\x20-\x7e]*$/.test(value))
      throw new HttpError(400, `X-Metadata-${key}: only printable ASCII can be kept`)
  }
  const total = pairs.reduce((sum, [key, value]) => sum + key.length + value.length, 0)
  if (total > maxTotalBytes)
    throw new HttpError(400, `X-Metadata-*: ${total} bytes in all; ${maxTotalBytes} is the most`)
  return Object.fromEntries(pairs)
}

/** Nothing where the file system keeps no attributes, or the file is gone. */
export async function readMetadata(path: string): Promise<Metadata> {
  const keys = await keysOf(path)
  const pairs = await Promise.all(
    keys.map(async (key) => {
      const value = await attributes?.getAttribute(path, attributePrefix + key).catch(() => null)
      return value ? [[key, value.toString()] as const] : []
    }),
  )
  return Object.fromEntries(pairs.flat())
}

/** Metadata is replaced as a whole. Throws where there is some and the file system keeps no attributes. */
export async function replaceMetadata(path: string, metadata: Metadata): Promise<void> {
  const stale = (await keysOf(path)).filter((key) => !(key in metadata))
  for (const key of stale) await attributes?.removeAttribute(path, attributePrefix + key)
  for (const [key, value] of Object.entries(metadata)) {
    if (!attributes) throw new Error('metadata: this machine has no library for extended attributes')
    await attributes.setAttribute(path, attributePrefix + key, value)
  }
}

async function keysOf(path: string): Promise<string[]> {
  const names = (await attributes?.listAttributes(path).catch(() => [])) ?? []
  return names
    .filter((name) => name.startsWith(attributePrefix))
    .map((name) => name.slice(attributePrefix.length))
}
