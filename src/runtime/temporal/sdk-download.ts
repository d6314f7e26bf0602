import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { GETTING_PREFIX } from './cli-probes.ts'

const PROGRAM = fileURLToPath(new URL('sdk-download.mjs', import.meta.url))
const NOTHING_ARRIVES_MS = 20_000
const DOWNLOAD_TIMEOUT_MS = 10 * 60_000

export interface SdkDownloadOptions {
  /** Path the finished program gets, by rename. */
  destination: string
  env: NodeJS.ProcessEnv
  onProgress: (line: string) => void
}

/**
 * Downloads the Temporal CLI as the TypeScript SDK does it, from temporal.download.
 *
 * @throws Error with the SDK's reason; after 20 s in which nothing arrived; or after 10 min
 */
export async function downloadCliBySdk({ destination, env, onProgress }: SdkDownloadOptions): Promise<void> {
  const folder = dirname(destination)
  await mkdir(folder, { recursive: true })
  const target = await mkdtemp(join(folder, GETTING_PREFIX))
  onProgress('downloading the Temporal CLI (about 100 MB)')
  const download = execa(process.execPath, [PROGRAM, target], {
    env,
    extendEnv: false,
    reject: false,
    timeout: DOWNLOAD_TIMEOUT_MS,
  })
  const silence = setTimeout(() => void stopUnlessArriving(target, () => download.kill()), NOTHING_ARRIVES_MS)
  try {
    const { failed, stderr } = await download
    const name = (await readdir(target)).find(
      (file) => file.startsWith('temporal-') && !file.includes('.downloading'),
    )
    if (name === undefined) throw new Error(failed ? reason(stderr) : 'the SDK downloaded nothing')
    await chmod(join(target, name), 0o755)
    await rename(join(target, name), destination)
  } finally {
    clearTimeout(silence)
    await rm(target, { recursive: true, force: true })
  }
}

async function stopUnlessArriving(folder: string, stop: () => void): Promise<void> {
  if ((await readdir(folder)).length === 0) stop()
}

/** The SDK's error is a chain in one line; its last links are the cause. */
function reason(stderr: string): string {
  const chain = stderr.split('\n').find((line) => /^\[?\w*Error: /.test(line))
  const cause = chain?.replace(/\]$/, '').split('): ').at(-1)
  return `nothing came from temporal.download${cause ? ` (${cause})` : ''}`
}
