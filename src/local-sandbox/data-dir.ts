import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { realpathSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { createHash } from 'node:crypto'

/**
 * Makes sure this is the data directory's only server. The lock is an abstract socket, which the kernel drops with the
 * process however it ends. Throws where another server has it.
 */
export async function lockDataDir(dir: string): Promise<Server> {
  const name = createHash('sha256').update(realpathSync(dir)).digest('hex')
  const lock = createServer((socket) => socket.destroy())
  lock.listen(`\0holdfast-sandbox-server-${name}`)
  await once(lock, 'listening').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error
    throw new Error(
      `--data-dir: '${dir}' is in use by another sandbox server; stop that one, or give another folder`,
    )
  })
  return lock
}

/** The server's API key: the one given, else the data directory's own, made on first use. */
export async function apiKey(dir: string, given: string | undefined): Promise<string> {
  if (given) return given
  const path = join(dir, 'api-key')
  const kept = await readFile(path, 'utf8').catch(() => undefined)
  if (kept) return kept
  // Older clients want this very form.
  const made = `e2b_${randomBytes(20).toString('hex')}`
  await writeFile(path, made, { mode: 0o600 })
  return made
}
