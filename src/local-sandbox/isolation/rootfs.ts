import { existsSync, lstatSync, readlinkSync, statSync } from 'node:fs'
import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { systemAccounts } from './packages.ts'

/** The host's files that sandboxes see besides /usr: nothing that names people, hosts or secrets. */
export function hostFiles(): string[] {
  return [
    '/etc/alternatives',
    '/etc/ssl',
    '/etc/ca-certificates',
    '/etc/ld.so.cache',
    '/etc/localtime',
    '/etc/mime.types',
  ].filter(existsSync)
}

/** The folders beside /usr, which on merged systems are links into it. */
export function besideUsr(): { path: string; link: string | undefined }[] {
  return ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'].filter(existsSync).map((path) => ({
    path,
    link: lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined,
  }))
}

/** Makes a sandbox's /etc in `folder`, with places to mount `hostFiles` on. Profiles are empty: each command is a login. */
export async function makeEtc(folder: string): Promise<void> {
  const files = {
    passwd: `root:x:0:0:root:/root:/bin/bash\n${await systemAccounts('passwd')}user:x:1000:1000:user:/home/user:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n`,
    group: `root:x:0:\n${await systemAccounts('group')}user:x:1000:\nnogroup:x:65534:\n`,
    hosts: `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n`,
    'nsswitch.conf': `passwd: files\ngroup: files\nhosts: files\n`,
    'resolv.conf': `# no resolver here: names are resolved by the egress proxy (HTTP_PROXY)\n`,
    profile: '',
    'bash.bashrc': '',
    hostname: 'sandbox\n',
    shells: `/bin/sh\n/bin/bash\n`,
  }
  await mkdir(folder, { recursive: true, mode: 0o755 })
  for (const [name, content] of Object.entries(files))
    await writeFile(join(folder, name), content, { mode: 0o644 })
  for (const path of hostFiles()) {
    const place = join(folder, path.slice('/etc/'.length))
    if (statSync(path).isDirectory()) await mkdir(place, { recursive: true, mode: 0o755 })
    else await writeFile(place, '', { mode: 0o644 })
  }
}

/**
 * The Node runtime for envd as sandboxes see it. One under /usr is there anyway. Any other is copied to `folder` once,
 * since where it lies (somebody's home, as a rule) can be closed to the uid that sandboxes run under.
 */
export async function provideNode(
  execPath: string,
  version: string,
  folder: string,
): Promise<{ executable: string; folder: string | undefined }> {
  if (execPath.startsWith('/usr/')) return { executable: execPath, folder: undefined }
  const target = join(folder, `node-${version}`)
  const executable = '/opt/holdfast/node/bin/node'
  if (existsSync(target)) return { executable, folder: target }
  const prefix = dirname(dirname(execPath))
  const draft = `${target}.${process.pid}`
  await rm(draft, { recursive: true, force: true })
  await mkdir(join(draft, 'bin'), { recursive: true })
  await cp(execPath, join(draft, 'bin/node'), { dereference: true })
  for (const name of ['bin/npm', 'bin/npx', 'lib/node_modules/npm'])
    if (existsSync(join(prefix, name)))
      await cp(join(prefix, name), join(draft, name), { recursive: true, verbatimSymlinks: true })
  await rename(draft, target)
  return { executable, folder: target }
}
