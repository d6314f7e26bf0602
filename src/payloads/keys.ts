import { createSecretKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { z } from 'zod'

export interface EncryptionKey {
  id: string
  key: KeyObject
}

/** Keys by id, the newest first: it encrypts, all decrypt. Without any nothing is encrypted. */
export type KeyRing = ReadonlyMap<string, KeyObject>

/** Of those who have no key: they read what is plain, and are told which key the rest asks for. */
export const NO_KEYS: KeyRing = new Map()

/** The key that encrypts, if any does. */
export function activeKey(keys: KeyRing): EncryptionKey | undefined {
  const [first] = keys
  return first && { id: first[0], key: first[1] }
}

const KEY_BYTES = 32

/** Keys as `id:base64`, apart by commas or white space, parsed to a `KeyRing`. Problems never quote a key. */
export const encryptionKeys = z.string().transform((text, context): KeyRing => {
  const ring = new Map<string, KeyObject>()
  const entries = text.split(/[\s,]+/).filter(Boolean)
  if (entries.length === 0) context.addIssue({ code: 'custom', message: 'holds no key' })
  for (const [index, entry] of entries.entries()) {
    const problem = addKey(ring, entry)
    if (problem) context.addIssue({ code: 'custom', message: `key ${index + 1} ${problem}` })
  }
  return ring
})

/** The same from a file, such as a mounted secret. */
export const encryptionKeysFile = z
  .string()
  .min(1)
  .transform((path, context) => {
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      context.addIssue({ code: 'custom', message: `can't be read: ${(error as Error).message}` })
      return z.NEVER
    }
  })
  .pipe(encryptionKeys)

function addKey(ring: Map<string, KeyObject>, entry: string): string | undefined {
  const [, id = '', base64 = ''] = /^([\w.-]{1,64}):([A-Za-z0-9+/]+=*)$/.exec(entry) ?? []
  const bytes = Buffer.from(base64, 'base64')
  if (id === '') return 'is not of the form id:base64, the id of letters, digits, dots, dashes or underscores'
  if (bytes.length !== KEY_BYTES)
    return `(${id}) has ${bytes.length} bytes instead of ${KEY_BYTES}: make one with openssl rand -base64 ${KEY_BYTES}`
  if (ring.has(id)) return `(${id}) has the id of an earlier one`
  ring.set(id, createSecretKey(bytes))
  return undefined
}
