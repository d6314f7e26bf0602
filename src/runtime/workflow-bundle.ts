import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker'

const SOURCE = fileURLToPath(new URL('..', import.meta.url))
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/holdfast', import.meta.url))
/** All that the bundle can be made of; the lock file stands for the packages. */
const PARTS = ['workflows', 'contract']

/**
 * The bundle of our workflows and of those that a file exports. Its sources may be anywhere, so it is made anew for each worker.
 *
 * @param failureConverterPath a module that turns errors into Temporal's failures, and back
 */
export async function extendedBundle(file: string, failureConverterPath?: string): Promise<{ code: string }> {
  await mkdir(CACHE, { recursive: true })
  const entry = join(CACHE, `workflows-and-${process.pid}.ts`)
  const exports = [join(SOURCE, 'workflows/index.ts'), resolve(file)].map(
    (path) => `export * from ${JSON.stringify(path)}\n`,
  )
  await writeFile(entry, exports.join(''))
  try {
    return await bundle(entry, failureConverterPath)
  } finally {
    await rm(entry, { force: true })
  }
}

/**
 * The path of the bundle of our workflows, made once for each state of the sources: bundling costs a worker 1 to 4 seconds.
 * Several processes may make it at once; the last rename wins, with the same content.
 */
export async function workflowBundle(failureConverterPath?: string): Promise<string> {
  const path = join(CACHE, `workflows-${await fingerprint(failureConverterPath)}.js`)
  if (existsSync(path)) return path
  const { code } = await bundle(join(SOURCE, 'workflows/index.ts'), failureConverterPath)
  await mkdir(CACHE, { recursive: true })
  await writeFile(`${path}.${process.pid}`, code)
  await rename(`${path}.${process.pid}`, path)
  return path
}

const bundle = (workflowsPath: string, failureConverterPath: string | undefined): Promise<{ code: string }> =>
  bundleWorkflowCode({
    workflowsPath,
    ...(failureConverterPath && { failureConverterPath }),
    workflowInterceptorModules: [join(SOURCE, 'workflows/interceptors.ts')],
    logger: new DefaultLogger('WARN'),
  })

async function fingerprint(failureConverterPath?: string): Promise<string> {
  const hash = createHash('sha256').update(await readFile(join(SOURCE, '../package-lock.json')))
  if (failureConverterPath) hash.update(await readFile(failureConverterPath))
  for (const part of PARTS)
    for (const file of (await readdir(join(SOURCE, part), { recursive: true }))
      .filter((name) => name.endsWith('.ts'))
      .sort())
      hash.update(file).update(await readFile(join(SOURCE, part, file)))
  return hash.digest('hex').slice(0, 16)
}
