import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'

// What `apt-get` in a sandbox goes on from: the packages of the host's /usr, and where more of them come from.

/** The host's package database; undefined on systems without dpkg. */
export const packageDatabase = existsSync('/var/lib/dpkg/status') ? '/var/lib/dpkg' : undefined

/** Files of /etc that apt and the scripts of packages read, and that differ from host to host. */
export const packageSettings = [
  '/etc/apt',
  '/etc/debconf.conf',
  '/etc/dpkg',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
].filter(existsSync)

const masters = '/usr/share/base-passwd'

/** The system's own accounts as Debian numbers them, which packages' scripts count on. */
export async function systemAccounts(kind: 'passwd' | 'group'): Promise<string> {
  const master = await readFile(join(masters, `${kind}.master`), 'utf8').catch(() => '')
  return master.replaceAll(':*:', ':x:').replace(/^(root|nobody|nogroup):.*\n/gm, '')
}

/** Gives the skeleton in `root` what packages are installed by, without the host's credentials for that. */
export async function preparePackages(root: string, database: string): Promise<void> {
  await mkdir(database, { recursive: true })
  if (packageDatabase === undefined) return
  // Names users of the host's packages, which sandboxes don't have.
  await writeFile(join(database, 'statoverride'), '')
  for (const folder of ['var/cache/debconf', 'var/lib/dpkg'])
    await mkdir(join(root, folder), { recursive: true })
  await execa('cp', ['-a', '--parents', '--', ...packageSettings, root])
  const apt = join(root, 'etc/apt')
  for (const name of ['auth.conf', 'auth.conf.d']) await rm(join(apt, name), { recursive: true, force: true })
  // Addresses can hold a password, as can those of proxies.
  const { stdout } = await execa('grep', ['-rlZE', '://[^/[:space:]]*@', apt], { reject: false })
  for (const file of stdout.split('\0').filter(Boolean)) await rm(file)
  await mkdir(join(apt, 'apt.conf.d'), { recursive: true })
  // The way out is a proxy of the sandbox's user, which another one could not use either.
  await writeFile(join(apt, 'apt.conf.d/99sandbox'), 'APT::Sandbox::User "root";\n')
}
