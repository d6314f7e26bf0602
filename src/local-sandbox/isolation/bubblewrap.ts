import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, readlinkSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { interpreterPaths, type FindInterpreter, type InterpreterFiles } from '../interpreter/environment.ts'
import type { InnerPaths, IsolationDriver, StartSpec } from './driver.ts'
import { launch, toolPath } from './launch.ts'
import type { Limiter } from './limits.ts'
import { descendants, handleOf, isAlive, signal, untilGone } from './processes.ts'
import { hostFiles } from './rootfs.ts'

const user = 'user'
const home = '/home/user'
const envdScript = '/opt/holdfast/envd.cjs'
const interpreterEnvironment = '/opt/holdfast/python'
const interpreterProgram = '/opt/holdfast/interpreter'

// What envd is told; `egressPort` is next to E2B's own ports, where nothing of the user's is expected.
const inner: Omit<InnerPaths, 'interpreter'> = {
  socket: '/run/holdfast/envd/envd.sock',
  egressSocket: '/run/holdfast/egress/egress.sock',
  egressPort: 49_982,
  runDir: '/run/holdfast/envd',
  user,
  home,
  trust: '/opt/holdfast/trust',
  path: '/opt/holdfast/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
}

/**
 * Each sandbox in namespaces of its own (user, pid, network, mount, ipc, uts, cgroup), with the host's /usr read-only.
 * `etc` is the folder made by `makeEtc`, `trust` the one with the certificates to trust, `node` the runtime for envd.
 * Throws with the remedy where bwrap is unusable.
 */
export function bubblewrap(
  { etc, trust }: { etc: string; trust: string },
  node: { executable: string; folder: string | undefined },
  interpreter: FindInterpreter,
  limiter: Limiter,
): IsolationDriver {
  const version = toolVersion()
  return {
    kind: 'bubblewrap',
    limits: limiter.kind,

    async start(spec) {
      const files = interpreter()
      const command = [
        ...limiter.prefix(spec.sandboxId),
        ...dropPrivileges(spec.uid, limiter.processes),
        ...bwrapCommand(spec, { etc, trust }, node, files, version),
      ]
      const { waiting, configure } = launch(command, spec.folders, {
        ...inner,
        interpreter: interpreterPaths(files, interpreterEnvironment, interpreterProgram, inner.runDir),
      })
      await waiting
      const { 'child-pid': pid } = JSON.parse(await readFile(spec.folders.info, 'utf8')) as {
        'child-pid': number
      }
      return { handle: handleOf(pid), configure }
    },

    processes: (_sandboxId, handle) => (isAlive(handle) ? descendants(handle.pid) : []),

    // The child is process 1 of the pid namespace: the kernel kills all others before it lets it go.
    async kill(sandboxId, handle) {
      if (handle && isAlive(handle)) signal(handle.pid, 'SIGKILL')
      if (handle) await untilGone(handle)
      await limiter.release(sandboxId)
    },
  }
}

function bwrapCommand(
  { sandboxId, folders, envdScript: script }: StartSpec,
  { etc, trust }: { etc: string; trust: string },
  node: { executable: string; folder: string | undefined },
  files: InterpreterFiles,
  version: [number, number],
): string[] {
  const nested = version[0] > 0 || version[1] >= 8 ? ['--disable-userns'] : []
  const dir = (path: string) => ['--perms', '0755', '--dir', path]
  return [
    ['bwrap', '--unshare-all', '--unshare-user', ...nested, '--new-session'],
    ['--uid', '1000', '--gid', '1000', '--hostname', sandboxId],
    systemFolders(),
    ['--proc', '/proc', '--dev', '/dev', '--ro-bind', etc, '/etc'],
    hostFiles().flatMap((path) => ['--ro-bind', path, path]),
    ['--ro-bind', folders.bootId, '/proc/sys/kernel/random/boot_id'],
    [...dir('/root'), ...dir('/home'), '--bind', folders.home, home, '--bind', folders.tmp, '/tmp'],
    [...dir('/var'), '--bind', folders.varTmp, '/var/tmp'],
    [...dir('/run'), ...dir('/run/holdfast'), '--bind', folders.run, dirname(inner.socket)],
    ['--ro-bind', folders.egress, dirname(inner.egressSocket)],
    [...dir('/opt'), ...dir('/opt/holdfast'), '--ro-bind', script, envdScript],
    ['--ro-bind', trust, inner.trust],
    node.folder === undefined ? [] : ['--ro-bind', node.folder, '/opt/holdfast/node'],
    node.folder === undefined ? [] : ['--symlink', 'node/bin', '/opt/holdfast/bin'],
    files.environment === undefined ? [] : ['--ro-bind', files.environment, interpreterEnvironment],
    ['--ro-bind', files.program, interpreterProgram],
    ['--remount-ro', '/', '--chdir', home, '--clearenv', '--info-fd', '3', '--'],
    [node.executable, envdScript],
  ].flat()
}

/** /usr and the folders beside it, as the host has them: links into /usr on merged systems, else folders. */
function systemFolders(): string[] {
  const beside = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'].filter((path) => existsSync(path))
  const mounts = beside.map((path) =>
    lstatSync(path).isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : ['--ro-bind', path, path],
  )
  return [['--ro-bind', '/usr', '/usr'], ...mounts].flat()
}

/** As root, bwrap would keep root's capabilities and read what root reads: be nobody before it starts. */
function dropPrivileges(uid: number | undefined, processes: number): string[] {
  if (uid === undefined) return []
  return ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', 'prlimit', `--nproc=${processes}`]
}

function toolVersion(): [number, number] {
  const remedy = "install it ('apt-get install bubblewrap'), or use --isolation=none on a throw-away machine"
  let text: string
  try {
    text = execFileSync('bwrap', ['--version'], { encoding: 'utf8', env: { PATH: toolPath } })
    if (process.getuid?.() === 0) execFileSync('setpriv', ['--version'], { env: { PATH: toolPath } })
  } catch (error) {
    const { path, message } = error as { path?: string; message: string }
    throw new Error(`isolation: ${path ?? 'bwrap'} can't be run (${message}); ${remedy}`, { cause: error })
  }
  const [, major, minor] = /(\d+)\.(\d+)/.exec(text) ?? []
  return [Number(major), Number(minor)]
}
