import { chmod, readFile, rename } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

/** Bundles envd into one file in `folder`, which sandboxes are given. Resolves to its path. */
export async function bundleEnvd(folder: string): Promise<string> {
  const outfile = join(folder, 'envd.cjs')
  const draft = `${outfile}.draft`
  await build({
    entryPoints: [fileURLToPath(new URL('./envd/main.ts', import.meta.url))],
    outfile: draft,
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    logLevel: 'silent',
    plugins: [nativeParts],
  })
  await chmod(draft, 0o644)
  // Sandboxes that run already keep the file they were started with.
  await rename(draft, outfile)
  return outfile
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
