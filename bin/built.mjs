import { createHash } from 'node:crypto'
import { constants, existsSync, readdirSync, readFileSync } from 'node:fs'
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const CACHE = join(ROOT, 'node_modules/.cache/holdfast')

/**
 * Runs a TypeScript program of ours, with the arguments of this process.
 *
 * @param entry relative to the project
 */
export async function run(entry) {
  process.setSourceMapsEnabled(true)
  await import(await built(entry))
}

/**
 * The URL of the program's bundle, which is made once for each state of the sources: there is no build to keep in step, and
 * yet a start costs a third of what it does with each file translated on its own. Packages stay outside.
 */
async function built(entry) {
  const name = basename(entry, '.ts')
  const folder = join(CACHE, `${entry.replaceAll('/', '-')}-${fingerprint()}`)
  if (!existsSync(folder)) {
    const draft = `${folder}.${process.pid}`
    const { build } = await import('esbuild')
    await mkdir(CACHE, { recursive: true })
      .then(() => access(CACHE, constants.W_OK))
      .catch(refuse)
    await build({
      entryPoints: [join(ROOT, entry)],
      outdir: draft,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      // What is imported only when needed stays so.
      splitting: true,
      packages: 'external',
      platform: 'node',
      target: 'node20',
      format: 'esm',
      sourcemap: true,
      logLevel: 'warning',
      plugins: [ownUrls],
    })
    // Another process may have been first, with the same content.
    await rename(draft, folder).catch(() => rm(draft, { recursive: true, force: true }))
  }
  return pathToFileURL(join(folder, `${name}.mjs`)).href
}

/** A module finds the files beside its source, wherever the bundle is. */
const ownUrls = {
  name: 'own-urls',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8')
      const url = JSON.stringify(pathToFileURL(path).href)
      return { contents: text.replaceAll('import.meta.url', url), loader: 'ts' }
    })
  },
}

function refuse({ message }) {
  process.stderr.write(
    `holdfast: its programs are bundled into ${CACHE}, where this user may not write (${message}): start it once as the owner of the folder, or give it to this user\n`,
  )
  process.exit(1)
}

/** The lock file stands for the packages. */
function fingerprint() {
  const hash = createHash('sha256').update(readFileSync(join(ROOT, 'package-lock.json')))
  hash.update(readFileSync(fileURLToPath(import.meta.url)))
  const source = join(ROOT, 'src')
  for (const file of readdirSync(source, { recursive: true, encoding: 'utf8' }).sort())
    if (file.endsWith('.ts')) hash.update(file).update(readFileSync(join(source, file)))
  return hash.digest('hex').slice(0, 16)
}
