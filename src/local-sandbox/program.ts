import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { chmod, copyFile, mkdir, readFile, rename } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'esbuild'

const SOURCE = fileURLToPath(new URL('.', import.meta.url))
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/holdfast', import.meta.url))

/** Bundles envd into one file in `folder`, which sandboxes are given. Resolves to its path. */
export async function bundleEnvd(folder: string): Promise<string> {
  const outfile = join(folder, 'envd.cjs')
  const draft = `${outfile}.draft`
  const kept = join(CACHE, `envd-${process.platform}-${process.arch}-${fingerprint()}.cjs`)
  if (existsSync(kept)) await copyFile(kept, draft)
  else {
    await bundle(draft)
    await keep(draft, kept)
  }
  await chmod(draft, 0o644)
  // Sandboxes that run already keep the file they were started with.
  await rename(draft, outfile)
  return outfile
}

async function bundle(outfile: string): Promise<void> {
  const { build } = await import('esbuild')
  await build({
    entryPoints: [join(SOURCE, 'envd/main.ts')],
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    logLevel: 'silent',
    plugins: [nativeParts],
  })
}

/** For the next start, which it saves a third of a second, where this user may write there. */
async function keep(file: string, kept: string): Promise<void> {
  const draft = `${kept}.${process.pid}`
  await mkdir(CACHE, { recursive: true })
    .then(() => copyFile(file, draft))
    .then(() => rename(draft, kept))
    .catch(() => undefined)
}

/** Of all that it may be made of; the lock file stands for the packages. */
function fingerprint(): string {
  const hash = createHash('sha256').update(readFileSync(join(SOURCE, '../../package-lock.json')))
  for (const file of readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).sort())
    if (/\.[jt]s$/.test(file)) hash.update(file).update(readFileSync(join(SOURCE, file)))
  return hash.digest('hex').slice(0, 16)
}

/** Puts packages' native parts into the bundle, since a sandbox sees no node_modules. */
const nativeParts: Plugin = {
  name: 'native-parts',
  setup(bundle) {
    const namespace = 'native-part'
    bundle.onResolve({ filter: /^holdfast:\w+\.node$/ }, ({ path }) => ({ path, namespace }))
    bundle.onLoad({ filter: /.*/, namespace }, async ({ path }) => ({
      contents: await readFile(nativePath(path)).catch(() => new Uint8Array()),
      loader: 'binary',
    }))
  },
}

/** Empty where there is none for this machine. */
function nativePath(part: string): string {
  const platform = `${process.platform}-${process.arch}`
  const [from, ...names] =
    part === 'holdfast:pty.node'
      ? [import.meta.resolve('@lydell/node-pty'), `@lydell/node-pty-${platform}/pty.node`]
      : [
          import.meta.resolve('@napi-rs/xattr'),
          ...['-gnu', '-musl', ''].map((libc) => `@napi-rs/xattr-${platform}${libc}`),
        ]
  // Packages per platform are beside the one that wants them, or below it, as the package manager likes.
  for (const name of names)
    try {
      return createRequire(from).resolve(name)
    } catch {
      // Not installed: it is another platform's.
    }
  return ''
}
