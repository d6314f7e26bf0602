import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The value of a secret, from the file of its name, as Docker and Kubernetes mount them; read at each use, so that a rotated one is taken up. */
export const folderSecret =
  (folder: string) =>
  (name: string): string | undefined => {
    try {
      return readFileSync(join(folder, name), 'utf8').replace(/\r?\n$/, '')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

/** The values of all secrets in a folder. @throws Error where it can't be read */
export const folderSecrets = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true })
    // Kubernetes mounts links, and keeps what they lead to in a folder beside them.
    .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.'))
    .flatMap(({ name }) => folderSecret(folder)(name) ?? [])
