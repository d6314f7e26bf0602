import { existsSync } from 'node:fs'
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { bashKernel, environmentFolder, python, requirements } from './environment.ts'

/** Why the environment can't be made here, or undefined where it can be tried. */
export async function missingPython(): Promise<string | undefined> {
  if (!existsSync(python)) return `${python} is missing: install it ('apt-get install python3 python3-venv')`
  const { exitCode } = await execa(python, ['-c', 'import venv, ensurepip'], { reject: false })
  return exitCode === 0 ? undefined : `${python} has no venv: install it ('apt-get install python3-venv')`
}

/**
 * Makes the code interpreter's Python environment unless it is there, and resolves to its folder. Downloads some 100 MB
 * with pip as the user has set that up. Several at once don't meet. Throws with the remedy, or with what pip said.
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
    const bash = join(draft, 'share/jupyter/kernels/bash')
    await mkdir(bash, { recursive: true })
    await writeFile(join(bash, 'kernel.json'), bashKernel)
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

async function run(program: string, args: string[]): Promise<void> {
  const result = await execa(program, args, { reject: false, all: true, stdin: 'ignore' })
  if (!result.failed) return
  throw new Error(`'${[program, ...args].join(' ')}' failed in ${dirname(program)}: ${result.all ?? ''}`)
}
