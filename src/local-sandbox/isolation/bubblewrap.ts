import { execFileSync } from 'node:child_process'
import { dirname } from 'node:path'
import { interpreterPaths, type FindInterpreter, type InterpreterFiles } from '../interpreter/environment.ts'
import type { IsolationDriver, StartSpec } from './driver.ts'
import { envdScript, home, inner, interpreterEnvironment, interpreterProgram, nodeFolder } from './inner.ts'
import { launch, toolPath } from './launch.ts'
import type { Limiter } from './limits.ts'
import { firstProcess, pidNamespace } from './pid-namespace.ts'
import { besideUsr, hostFiles } from './rootfs.ts'

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
    root: false,
    owners: (ids) => ({ root: ids, user: ids }),

    async start(spec) {
      const files = interpreter()
      const command = [
        ...limiter.prefix(spec.sandboxId),
        ...dropPrivileges(spec.ids, limiter.processes),
        ...bwrapCommand(spec, { etc, trust }, node, files, version),
      ]
      const { waiting, configure } = launch(command, spec.folders, {
        ...inner,
        root: false,
        interpreter: interpreterPaths(files, interpreterEnvironment, interpreterProgram, inner.runDir),
      })
      await waiting
      return { handle: await firstProcess(spec.folders), configure }
    },

    ...pidNamespace(limiter),
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
    node.folder === undefined ? [] : ['--ro-bind', node.folder, nodeFolder],
    node.folder === undefined ? [] : ['--symlink', 'node/bin', '/opt/holdfast/bin'],
    files.environment === undefined ? [] : ['--ro-bind', files.environment, interpreterEnvironment],
    ['--ro-bind', files.program, interpreterProgram],
    ['--remount-ro', '/', '--chdir', home, '--clearenv', '--info-fd', '3', '--'],
    [node.executable, envdScript],
  ].flat()
}

/** /usr and the folders beside it, as the host has them. */
function systemFolders(): string[] {
  const beside = besideUsr().map(({ path, link }) =>
    link === undefined ? ['--ro-bind', path, path] : ['--symlink', link, path],
  )
  return [['--ro-bind', '/usr', '/usr'], ...beside].flat()
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
