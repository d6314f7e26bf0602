import { createHash } from 'node:crypto'
import { HoldfastError } from './errors.ts'

/** Temporal refuses payloads of 2 MB; the rest of the room is for encoding. */
const MAX_SPEC_BYTES = 1_500_000

/** The fingerprint of a parsed spec: the same whatever the order of the keys. */
export function specHash(spec: object): string {
  const text = JSON.stringify(sorted(spec))
  if (Buffer.byteLength(text) > MAX_SPEC_BYTES)
    throw new HoldfastError(
      'InvalidSpec',
      `the spec has ${Buffer.byteLength(text)} bytes, of at most ${MAX_SPEC_BYTES}`,
    )
  return createHash('sha256').update(text).digest('hex')
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  )
}
