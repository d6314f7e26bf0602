import { chown, mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { EnvdConfig } from './config.ts'

/** Who a command runs as, and whose what it makes is. */
export interface Account {
  name: string
  home: string
  /** Undefined where envd itself is this user, and can't be another. */
  ids: Ids | undefined
}

export interface Ids {
  uid: number
  gid: number
}

/** The account of a name, the sandbox's own user's for none. Throws a plain Error where it can't be had. */
export async function findAccount(config: EnvdConfig, name: string | undefined): Promise<Account> {
  const wanted = name || config.user
  if (!config.root) return ownAccount(config, wanted)
  const passwd = await readFile('/etc/passwd', 'utf8')
  for (const line of passwd.split('\n')) {
    const [found, , uid, gid, , home = '/'] = line.split(':')
    if (found === wanted) return { name: wanted, home, ids: { uid: Number(uid), gid: Number(gid) } }
  }
  throw unknown(wanted)
}

function ownAccount({ user, home }: EnvdConfig, name: string): Account {
  if (name === user) return { name, home, ids: undefined }
  if (name !== 'root') throw unknown(name)
  throw new Error(
    `user 'root' isn't available: this sandbox has a single user; use '${user}', or run the sandbox server as root on a kernel that offers idmapped mounts (its log says what is missing)`,
  )
}

const unknown = (name: string) => new Error(`error looking up user '${name}': user: unknown user ${name}`)

/** Makes a folder and those above it that are missing, which all become the account's. */
export async function makeFolder(path: string, { ids }: Account): Promise<void> {
  const first = await mkdir(path, { recursive: true })
  if (first === undefined || !ids) return
  for (let folder = path; folder.length >= first.length; folder = dirname(folder))
    await chown(folder, ids.uid, ids.gid)
}
