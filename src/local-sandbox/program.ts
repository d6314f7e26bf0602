import { chmod, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

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
  })
  await chmod(draft, 0o644)
  // Sandboxes that run already keep the file they were started with.
  await rename(draft, outfile)
  return outfile
}
