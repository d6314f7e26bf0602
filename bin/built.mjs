import { createHash } from 'node:crypto'
import { constants, existsSync, readdirSync, readFileSync } from 'node:fs'
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const CACHE = join(ROOT, 'node_modules/.cache/holdfast')
/** Packages that have native parts or files beside their code, rely on the order of their imports, or are shared with what a worker loads. */
const OUTSIDE = [
  '@temporalio/*',
  '@grpc/grpc-js',
  '@opentelemetry/*',
  '@lydell/node-pty',
  '@napi-rs/xattr',
  '@peculiar/x509',
  'reflect-metadata',
  'esbuild',
  'tsx',
]
/** For packages that aren't modules. */
const REQUIRE = `import { createRequire as holdfastRequire } from 'node:module'; const require = holdfastRequire(import.meta.url);`

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
 * yet a start costs a fraction of what it does with each file found, read and translated on its own.
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
      external: OUTSIDE,
      banner: { js: REQUIRE },
      platform: 'node',
      target: 'node20',
      format: 'esm',
      sourcemap: true,
      sourcesContent: false,
      logLevel: 'warning',
      plugins: [ownUrls, ownMaps],
    })
    // Another process may have been first, with the same content.
    await rename(draft, folder).catch(() => rm(draft, { recursive: true, force: true }))
  }
  return pathToFileURL(join(folder, `${name}.mjs`)).href
}

/** Node reads a program's whole map before it runs it: what is not ours stays out of it. */
const ownMaps = {
  name: 'own-maps',
  setup({ onLoad }) {
    onLoad({ filter: /\/node_modules\/.*\.[cm]?js$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')) + NO_MAP,
      loader: 'js',
    }))
  },
}
const NO_MAP = `\n//# sourceMappingURL=data:application/json;base64,${btoa('{"version":3,"sources":[""],"mappings":"A"}')}`

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
    if (/\.[jt]s$/.test(file)) hash.update(file).update(readFileSync(join(source, file)))
  return hash.digest('hex').slice(0, 16)
}
