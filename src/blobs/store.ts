import type { Readable } from 'node:stream'

/**
 * Where what is too large for a history is kept, outside every sandbox: checkpoints, outputs, pictures. Keys are paths of plain words; a
 * key's content never changes, so writing it twice is writing it once.
 */
export interface BlobStore {
  /** For people: where the blobs are. */
  readonly where: string
  /** Writes all of it, or nothing. */
  put(key: string, content: Readable): Promise<{ bytes: number }>
  /** @throws `BlobMissing` where there is none */
  get(key: string): Promise<Readable>
  /** Keys right under a prefix, which ends in a slash, in the order of their names. */
  keys(prefix: string): Promise<string[]>
  /** Folders right under a prefix. */
  folders(prefix: string): Promise<string[]>
  /** Deletes everything under a prefix, which ends in a slash. */
  deleteAll(prefix: string): Promise<void>
}

/** A word of a key, from any text. */
export const keyWord = (text: string): string => encodeURIComponent(text).replaceAll('.', '%2E')

/** The text that a word of a key was made from. */
export const textOfKeyWord = (word: string): string => decodeURIComponent(word)
