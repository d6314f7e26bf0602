import { createReadStream } from 'node:fs'
import { CliError } from './errors.ts'
import { printNote } from './terminal.ts'

const MAX_SPEC_BYTES = 2_000_000

/** What a file is called in messages: `-` is stdin. */
export const fileLabel = (path: string): string => (path === '-' ? '(stdin)' : path)

/**
 * The text of a file, or of stdin for `-`.
 *
 * @throws CliError `Usage` where it can't be read, has more than 2 MB, or isn't UTF-8
 */
export async function readText(path: string): Promise<string> {
  const bytes = await readBytes(
    path,
    MAX_SPEC_BYTES,
    'keep large files in the repository, and the spec small',
  )
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new CliError('Usage', `${fileLabel(path)} is not UTF-8 text`, {
      remedy: 'give a text file',
      cause: error,
    })
  }
}

/**
 * The bytes of a file, or of stdin for `-`.
 *
 * @param remedy for a file with more than `max` bytes
 * @throws CliError `Usage` where it can't be read, or has more
 */
export async function readBytes(path: string, max: number, remedy: string): Promise<Buffer> {
  if (path === '-' && process.stdin.isTTY) printNote('reading from the terminal: end with Ctrl-D')
  const name = fileLabel(path)
  const stream: NodeJS.ReadableStream = path === '-' ? process.stdin : createReadStream(path)
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > max) throw new CliError('Usage', `${name} has more than ${sizeName(max)}`, { remedy })
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof CliError) throw error
    const code = (error as NodeJS.ErrnoException).code ?? ''
    throw new CliError('Usage', REASONS[code]?.(name) ?? `can't read ${name}: ${(error as Error).message}`, {
      remedy: 'name a file that is there, or - for stdin',
      cause: error,
    })
  }
  return Buffer.concat(chunks)
}

const sizeName = (bytes: number): string =>
  bytes % 1_000_000 === 0 ? `${bytes / 1_000_000} MB` : `${bytes / 1024 / 1024} MiB`

const REASONS: Record<string, (name: string) => string> = {
  ENOENT: (name) => `there is no file ${name}`,
  EISDIR: (name) => `${name} is a folder`,
  EACCES: (name) => `no right to read ${name}`,
}
