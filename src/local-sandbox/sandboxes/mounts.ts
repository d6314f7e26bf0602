import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { execa } from 'execa'
import { toolPath } from '../isolation/launch.ts'

/** Whether a file system is mounted on this very folder. */
export async function isMounted(folder: string): Promise<boolean> {
  return (await stat(folder)).dev !== (await stat(dirname(folder))).dev
}

/** Runs a program of the host's for file systems. Throws what it said. */
export async function runTool(program: string, args: string[]): Promise<void> {
  await execa(program, args, { env: { PATH: toolPath }, extendEnv: false })
}
