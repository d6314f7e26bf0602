import { existsSync } from 'node:fs'
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { bashKernel, deno, denoKernel, environmentFolder, python, requirements } from './environment.ts'

/** Why the environment can't be made here, or undefined where it can be tried. */
export async function missingPython(): Promise<string | undefined> {
  if (!existsSync(python)) return `${python} is missing: install it ('apt-get install python3 python3-venv')`
  const { exitCode } = await execa(python, ['-c', 'import venv, ensurepip'], { reject: false })
  return exitCode === 0 ? undefined : `${python} has no venv: install it ('apt-get install python3-venv')`
}

/**
 * Makes the code interpreter's environment unless it is there, and resolves to its folder. Downloads some 100 MB
 * with pip and npm as the user has set that up. Several at once don't meet. Throws with the remedy, or with what they said.
 */
export async function prepareEnvironment(templatesDir: string): Promise<string> {
  const missing = await missingPython()
  if (missing) throw new Error(missing)
  const target = environmentFolder(templatesDir)
  if (existsSync(target)) return target
  await mkdir(templatesDir, { recursive: true, mode: 0o755 })
  const draft = `${target}.${process.pid}`
  try {
    await run(python, ['-m', 'venv', draft])
    const inside = join(draft, 'bin/python')
    await run(inside, ['-m', 'pip', 'install', '--disable-pip-version-check', '-q', '-r', requirements])
    await installDeno(draft)
    const kernels = { bash: bashKernel, javascript: denoKernel, typescript: denoKernel }
    for (const [name, kernel] of Object.entries(kernels)) {
      const folder = join(draft, 'share/jupyter/kernels', name)
      await mkdir(folder, { recursive: true })
      await writeFile(join(folder, 'kernel.json'), kernel)
    }
    await chmod(draft, 0o755)
    await rename(draft, target)
  } catch (error) {
    // Another one was quicker: its environment is as good as ours.
    if (!existsSync(target)) throw error
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  return target
}

async function installDeno(environment: string): Promise<void> {
  const prefix = join(environment, 'deno')
  await run('npm', [
    'install',
    '--prefix',
    prefix,
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    `${deno.name}@${deno.version}`,
  ])
  await rename(join(prefix, 'node_modules', deno.name, 'deno'), join(environment, 'bin/deno'))
  await rm(prefix, { recursive: true })
}

async function run(program: string, args: string[]): Promise<void> {
  const result = await execa(program, args, { reject: false, all: true, stdin: 'ignore' })
  if (!result.failed) return
  throw new Error(`'${[program, ...args].join(' ')}' failed: ${result.all ?? ''}`)
}
