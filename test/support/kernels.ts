import { homedir } from 'node:os'
import { defaultTemplatesDir } from '../../src/local-sandbox/interpreter/environment.ts'
import { prepareEnvironment } from '../../src/local-sandbox/interpreter/prepare.ts'

/** How long `prepareKernels` may take, in ms: the first time on a machine it downloads their packages. */
export const KERNELS_MS = 300_000

/** Prepares the kernels of the code interpreter. @returns what the sandbox server is started with, to have them */
export async function prepareKernels(): Promise<string[]> {
  const folder = defaultTemplatesDir(process.getuid?.(), homedir(), undefined)
  await prepareEnvironment(folder)
  return ['--templates-dir', folder]
}
