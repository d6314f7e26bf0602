import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { interpreterPaths, type FindInterpreter, type InterpreterFiles } from '../interpreter/environment.ts'
import type { IsolationDriver, Owners, SandboxFolders, StartSpec } from './driver.ts'
import { diskRoot, idsPerSandbox, userId } from './ids.ts'
import { envdScript, home, inner, interpreterEnvironment, interpreterProgram, nodeFolder } from './inner.ts'
import { launch, toolPath } from './launch.ts'
import type { Limiter } from './limits.ts'
import { packageDatabase } from './packages.ts'
import { firstProcess, pidNamespace } from './pid-namespace.ts'
import { besideUsr } from './rootfs.ts'
import { provideSkeleton } from './skeleton.ts'

const enter = fileURLToPath(new URL('./enter.pl', import.meta.url))
const owners: Owners = { root: diskRoot, user: diskRoot + userId }

/** What all sandboxes of a server are made of. */
interface Parts {
  /** An empty folder. */
  staging: string
  skeleton: string
  trust: string
  node: { executable: string; folder: string | undefined }
}

/**
 * Each sandbox in namespaces of its own with users of its own, root among them, on the host's /usr as it is plus the
 * sandbox's changes. The server has to be root. Throws what is in the way, found by a trial in `folders`.
 */
export async function namespaces(
  { system, staging, trust }: { system: string; staging: string; trust: string },
  node: Parts['node'],
  interpreter: FindInterpreter,
  limiter: Limiter,
  prepareTrial: (owners: Owners) => Promise<SandboxFolders>,
): Promise<IsolationDriver> {
  const parts = { staging, trust, node, skeleton: await provideSkeleton(system, node.folder) }
  const spec = { sandboxId: 'trial', folders: await prepareTrial(owners), ids: diskRoot + idsPerSandbox }
  await attempt(command({ ...spec, envdScript: '/dev/null' }, parts, interpreter(), ['true']))
  return {
    kind: 'namespaces',
    limits: limiter.kind,
    root: true,
    owners: () => owners,

    async start(spec) {
      const files = interpreter()
      const { waiting, configure } = launch(
        [
          ...limiter.prefix(spec.sandboxId),
          'prlimit',
          `--nproc=${limiter.processes}`,
          ...command(spec, parts, files, [node.executable, envdScript]),
        ],
        spec.folders,
        {
          ...inner,
          root: true,
          interpreter: interpreterPaths(files, interpreterEnvironment, interpreterProgram, inner.runDir),
        },
      )
      await waiting
      return { handle: await firstProcess(spec.folders), configure }
    },

    ...pidNamespace(limiter),
  }
}

async function attempt([program = '', ...args]: string[]): Promise<void> {
  const env = { PATH: toolPath }
  const stdio = ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] as const
  const { failed, stderr, shortMessage } = await execa(program, args, {
    env,
    extendEnv: false,
    stdio: [...stdio],
    reject: false,
  })
  if (failed) throw new Error(stderr || shortMessage)
}

/** The words for enter.pl, which says what they mean. */
function command(
  { sandboxId, folders, ids, envdScript: script }: StartSpec,
  { staging, skeleton, trust, node }: Parts,
  files: InterpreterFiles,
  program: string[],
): string[] {
  const from = (folder: string) => join('disk', folder.slice(folders.disk.length))
  const overlay = (lower: string, name: string, path: string) => {
    const [upper, work] = [folders.system, folders.work].map((folder) => join(from(folder), name))
    return ['overlay', lower, upper!, work!, path]
  }
  return [
    ['perl', enter, process.arch, String(ids), String(diskRoot), staging, sandboxId],
    [
      'disk',
      folders.disk,
      'disk',
      'disk',
      folders.run,
      'run',
      'disk',
      skeleton,
      'skeleton',
      'system',
      '/usr',
      'usr',
    ],
    overlay('skeleton/root', 'root', '/'),
    overlay('skeleton/usr:usr', 'usr', '/usr'),
    packageDatabase === undefined
      ? []
      : ['system', packageDatabase, 'dpkg', ...overlay('skeleton/dpkg:dpkg', 'dpkg', packageDatabase)],
    besideUsr().flatMap(({ path, link }) => (link === undefined ? ['ro-bind', path, path] : [])),
    ['bind', from(folders.home), home, 'bind', from(folders.tmp), '/tmp'],
    ['bind', from(folders.varTmp), '/var/tmp', 'proc', '/proc', 'dev', '/dev', 'tmpfs', '/run'],
    ['ro-bind', folders.bootId, '/proc/sys/kernel/random/boot_id'],
    [dirname(inner.runDir), inner.runDir, dirname(inner.egressSocket)].flatMap((path) => ['dir', path]),
    ['bind', 'run', inner.runDir, 'ro-bind', folders.egress, dirname(inner.egressSocket)],
    ['ro-bind', script, envdScript, 'ro-bind', trust, inner.trust],
    node.folder === undefined ? [] : ['ro-bind', node.folder, nodeFolder],
    files.environment === undefined ? [] : ['ro-bind', files.environment, interpreterEnvironment],
    ['ro-bind', files.program, interpreterProgram, '--', ...program],
  ].flat()
}
