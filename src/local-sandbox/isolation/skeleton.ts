import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { chmod, chown, copyFile, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { authorities } from './authorities.ts'
import { diskRoot, userId } from './ids.ts'
import * as inside from './inner.ts'
import { packageSettings, preparePackages } from './packages.ts'
import { besideUsr, hostFiles, makeEtc } from './rootfs.ts'

const sudo = fileURLToPath(new URL('./sudo.sh', import.meta.url))

// What sudo.sh becomes root by.
const setpriv = 'libexec/holdfast/setpriv'

// Where a host's administrator puts files of his own, some for root's eyes only. All else in /usr is of packages.
const administrators = '/usr/local'

// Folders of the root, most of them to mount on.
const folders =
  'boot dev mnt media opt proc root run srv tmp usr home/user var/cache var/lib var/log var/tmp'.split(' ')
const mountedFolders = [inside.nodeFolder, inside.interpreterEnvironment, inside.interpreterProgram]

/**
 * The lowest layers of sandboxes' file systems, made once in `dir`, which must be closed to others: `root`, `usr`,
 * which lies over the host's, and `dpkg`, which lies over the host's package database. All is owned as on a sandbox's disk. Resolves to their folder.
 */
export async function provideSkeleton(dir: string, node: string | undefined): Promise<string> {
  const closed = await closedToOthers([administrators, ...hostFiles(), ...packageSettings])
  const hash = createHash('sha256').update(JSON.stringify([folders, authorities, closed, node ?? '']))
  hash.update(readFileSync(sudo))
  // A sandbox that runs keeps the one it was started with, so another one has another folder.
  for (const path of [...hostFiles(), ...packageSettings, '/usr/bin'])
    hash.update(`${path} ${statSync(path).mtimeMs} ${existsSync('/usr/bin/sudo')}`)
  const target = join(dir, hash.digest('hex').slice(0, 12))
  if (existsSync(target)) return target
  const draft = `${target}.draft`
  await rm(draft, { recursive: true, force: true })
  await Promise.all([
    makeRoot(join(draft, 'root'), join(draft, 'dpkg'), node, closed),
    makeUsr(join(draft, 'usr'), closed),
  ])
  await own(draft)
  await rename(draft, target)
  return target
}

async function makeRoot(
  root: string,
  database: string,
  node: string | undefined,
  closed: string[],
): Promise<void> {
  for (const folder of [...folders, ...mountedFolders, inside.inner.trust])
    await mkdir(join(root, folder), { recursive: true, mode: 0o755 })
  for (const { path, link } of besideUsr())
    if (link === undefined) await mkdir(join(root, path))
    else await symlink(link, join(root, path))
  if (node !== undefined) await symlink('node/bin', join(root, '/opt/holdfast/bin'))
  await writeFile(join(root, inside.envdScript), '')
  const etc = join(root, 'etc')
  await makeEtc(etc)
  await execa('cp', ['-a', '--parents', '--', ...hostFiles(), root])
  await preparePackages(root, database)
  for (const path of closed) await rm(join(root, path), { recursive: true, force: true })
  for (const [name, mode, content] of authorities) {
    await mkdir(dirname(join(etc, name)), { recursive: true })
    await writeFile(join(etc, name), content)
    await chmod(join(etc, name), mode)
  }
}

async function makeUsr(usr: string, closed: string[]): Promise<void> {
  await mkdir(usr, { recursive: true })
  for (const path of closed.filter((closedPath) => closedPath.startsWith('/usr/'))) {
    const place = join(usr, path.slice('/usr/'.length))
    await mkdir(dirname(place), { recursive: true })
    // To an overlay it says that there is nothing of this name below.
    await execa('mknod', [place, 'c', '0', '0'])
  }
  if (existsSync('/usr/bin/sudo')) return
  for (const path of ['bin/sudo', setpriv]) await mkdir(dirname(join(usr, path)), { recursive: true })
  await copyFile(sudo, join(usr, 'bin/sudo'))
  await chmod(join(usr, 'bin/sudo'), 0o755)
  await copyFile('/usr/bin/setpriv', join(usr, setpriv))
}

async function own(draft: string): Promise<void> {
  await execa('chown', ['-hR', `${diskRoot}:${diskRoot}`, draft])
  const tool = join(draft, 'usr', setpriv)
  if (!existsSync(tool)) return
  await chown(tool, diskRoot, diskRoot + userId)
  await chmod(tool, 0o4750)
}

/** What there only some may read: root inside would be one of them. */
async function closedToOthers(paths: string[]): Promise<string[]> {
  const file = ['!', '-type', 'l', '!', '-type', 'd', '!', '-perm', '-o=r']
  const directory = ['-type', 'd', '!', '-perm', '-o=rx']
  const test = ['(', ...file, '-o', ...directory, ')', '-prune', '-print0']
  const { stdout } = await execa('find', [...paths, '-xdev', ...test])
  return stdout.split('\0').filter(Boolean)
}
