import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, realpathSync } from 'node:fs'
import { cp, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { InterpreterPaths } from './inside.ts'

/** The Python that the environment is made with. Sandboxes have the host's /usr, and so this very program. */
export const python = '/usr/bin/python3'

/** Exact pins of all packages, as pip reads them. */
export const requirements = fileURLToPath(new URL('./requirements.txt', import.meta.url))

/** Bash's kernel, in the form that Jupyter keeps kernels in. */
export const bashKernel = JSON.stringify({
  argv: ['python', '-m', 'bash_kernel', '-f', '{connection_file}'],
  display_name: 'Bash',
  language: 'bash',
})

/** JavaScript's and TypeScript's kernel: the npm package of Deno's binary for this machine. */
export const deno = { name: `@deno/linux-${process.arch}-glibc`, version: '2.9.6' }

/** Both languages' kernel, for the folder of a kernel in the environment. Interrupted by message: a signal ends Deno. */
export const denoKernel = JSON.stringify({
  argv: ['{resource_dir}/../../../../bin/deno', 'jupyter', '--kernel', '--conn', '{connection_file}'],
  display_name: 'Deno',
  language: 'typescript',
  interrupt_mode: 'message',
  // Node's modules by their bare names, as E2B's kernel has them.
  env: { DENO_COMPAT: '1', DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' },
})

/** How the environment is made; for messages. */
export const prepareCommand = 'npm run sandbox-template -- code-interpreter'

/** Folder of the templates: as root one that sandboxes' users can reach, else in the user's cache. */
export function defaultTemplatesDir(
  uid: number | undefined,
  home: string,
  cache: string | undefined,
): string {
  return uid === 0
    ? '/var/cache/holdfast/templates'
    : join(cache ?? join(home, '.cache'), 'holdfast/templates')
}

/** Where the environment for the pins and the Python of now belongs. Throws where there is no Python. */
export function environmentFolder(templatesDir: string): string {
  const hash = createHash('sha256')
  const parts = [
    readFileSync(requirements),
    bashKernel,
    deno.version,
    denoKernel,
    basename(realpathSync(python)),
  ]
  for (const part of parts) hash.update(part)
  return join(templatesDir, `code-interpreter-${hash.digest('hex').slice(0, 12)}`)
}

/** What a sandbox gets to interpret code with; `environment` undefined where that isn't prepared. */
export interface InterpreterFiles {
  environment: string | undefined
  /** Folder of the server program. */
  program: string
}

/** Looks anew at each sandbox's start, so that an environment prepared meanwhile is found. */
export type FindInterpreter = () => InterpreterFiles

/** Copies the server program to a folder in `folder`, which sandboxes' users can reach. */
export async function provideInterpreter(templatesDir: string, folder: string): Promise<FindInterpreter> {
  const source = fileURLToPath(new URL('./server', import.meta.url))
  const hash = createHash('sha256')
  for (const name of readdirSync(source)
    .filter((name) => name.endsWith('.py'))
    .sort())
    hash.update(name).update(readFileSync(join(source, name)))
  // Sandboxes that run already keep the folder they were started with, so each version has its own.
  const program = join(folder, `interpreter-${hash.digest('hex').slice(0, 12)}`)
  if (!existsSync(program)) {
    const draft = `${program}.draft`
    await rm(draft, { recursive: true, force: true })
    await cp(source, draft, { recursive: true, filter: (path) => !path.endsWith('__pycache__') })
    await rename(draft, program)
  }
  return () => {
    const environment = existsSync(python) ? environmentFolder(templatesDir) : undefined
    return { environment: environment && existsSync(environment) ? environment : undefined, program }
  }
}

/** What envd is told: the paths as the sandbox sees them, or what is missing and how to get it. */
export function interpreterPaths(
  files: InterpreterFiles,
  environment: string,
  program: string,
  runDir: string,
): InterpreterPaths {
  if (files.environment === undefined)
    return {
      missing: `the code interpreter is not installed: run '${prepareCommand}' where the sandbox server runs, then create a new sandbox`,
    }
  return {
    python: join(environment, 'bin/python'),
    script: join(program, 'main.py'),
    socket: join(runDir, 'code/code.sock'),
  }
}
