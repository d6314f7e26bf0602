import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker'

const SOURCE = fileURLToPath(new URL('..', import.meta.url))
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/holdfast', import.meta.url))
/** All that the bundle can be made of; the lock file stands for the packages. */
const PARTS = ['workflows', 'contract']

/**
 * The path of the workflow bundle, made once for each state of the sources: bundling costs a worker 1 to 4 seconds.
 * Several processes may make it at once; the last rename wins, with the same content.
 */
export async function workflowBundle(): Promise<string> {
  const path = join(CACHE, `workflows-${await fingerprint()}.js`)
  if (existsSync(path)) return path
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(SOURCE, 'workflows/index.ts'),
    logger: new DefaultLogger('WARN'),
  })
  await mkdir(CACHE, { recursive: true })
  await writeFile(`${path}.${process.pid}`, code)
  await rename(`${path}.${process.pid}`, path)
  return path
}

async function fingerprint(): Promise<string> {
  const hash = createHash('sha256').update(await readFile(join(SOURCE, '../package-lock.json')))
  for (const part of PARTS)
    for (const file of (await readdir(join(SOURCE, part), { recursive: true }))
      .filter((name) => name.endsWith('.ts'))
      .sort())
      hash.update(file).update(await readFile(join(SOURCE, part, file)))
  return hash.digest('hex').slice(0, 16)
}
