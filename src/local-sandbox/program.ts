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
    plugins: [nativePty],
  })
  await chmod(draft, 0o644)
  // Sandboxes that run already keep the file they were started with.
  await rename(draft, outfile)
  return outfile
}

/** Puts node-pty's native part into the bundle, since a sandbox sees no node_modules. */
const nativePty: Plugin = {
  name: 'native-pty',
  setup(bundle) {
    bundle.onResolve({ filter: /^holdfast:pty\.node$/ }, ({ path }) => ({ path, namespace: 'native-pty' }))
    bundle.onLoad({ filter: /.*/, namespace: 'native-pty' }, async () => ({
      contents: await readFile(nativePtyPath()).catch(() => new Uint8Array()),
      loader: 'binary',
    }))
  },
}

function nativePtyPath(): string {
  const name = `@lydell/node-pty-${process.platform}-${process.arch}/pty.node`
  try {
    // Its packages per platform are beside it, or below it, as the package manager likes.
    return createRequire(import.meta.resolve('@lydell/node-pty')).resolve(name)
  } catch {
    return ''
  }
}
