import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kill } from 'node:process'
import { execa } from 'execa'
import { filesWith } from './canaries.ts'
import { steadyPort } from './steady-port.ts'
import { endProcess } from '../../src/runtime/temporal/process-identity.ts'
import { readRecord } from '../../src/runtime/temporal/server-record.ts'
import { isAlive } from '../../src/local-sandbox/isolation/processes.ts'
import type { SandboxRecord } from '../../src/local-sandbox/sandboxes/record.ts'
import { sandboxFolder } from '../../src/stack/state.ts'
import type { Stack } from '../../src/stack/stack.ts'
import { type Program, startProgram } from './program.ts'

/** What `holdfast up --json` prints. */
type Ready = Pick<Stack, 'temporal' | 'sandboxes' | 'worker' | 'logs'>
export type Up = Program & { ready: Ready }

/** A state folder, and the stacks of `holdfast up` that run on it. */
export interface TestStack {
  state: string
  /** Of `holdfast`, as the stacks are started. */
  args: string[]
  /** Starts `holdfast up` on the folder. */
  start(env?: NodeJS.ProcessEnv): Program
  /** The same, up and ready. */
  up(env?: NodeJS.ProcessEnv): Promise<Up>
  /** Pid of the folder's Temporal server, dead or alive; undefined where there never was one. */
  temporalPid(): number | undefined
  /** Ends all that was started on the folder, and removes it. @throws Error where a secret is found in what is left: Temporal's database, logs, blobs, disks */
  cleanUp(): Promise<void>
}

export async function testStack(options: { args: string[]; env: NodeJS.ProcessEnv }): Promise<TestStack> {
  const state = await mkdtemp(join(tmpdir(), 'holdfast-up-'))
  const ports = ['--port', String(await steadyPort()), '--ui-port', String(await steadyPort())]
  const programs: Program[] = []
  const secrets = Object.entries(options.env).flatMap(([name, value]) =>
    name.startsWith('HOLDFAST_SECRET_') && value ? [value] : [],
  )
  const record = () => readRecord(join(state, 'temporal.json'))
  const args = ['up', '--json', '--state', state, ...ports, ...options.args]
  const start = (env: NodeJS.ProcessEnv = {}): Program => {
    const program = startProgram(args, { ...options.env, ...env })
    programs.push(program)
    return program
  }
  return {
    state,
    args,
    start,
    up: async (env) => {
      const program = start(env)
      const [line] = await program.until('stdout', /^.+$/m)
      const ready = JSON.parse(line) as Ready | { error: { message: string } }
      if ('error' in ready) throw new Error(ready.error.message)
      return { ...program, ready }
    },
    temporalPid: () => record()?.server.pid,
    cleanUp: async () => {
      for (const program of programs) program.send('SIGTERM')
      await Promise.all(programs.map(({ ended }) => ended))
      const server = record()?.server
      if (server) await endProcess(server, 10_000)
      const sandboxes = sandboxFolder(state)
      const leaked = await filesWith(secrets, [state, sandboxes])
      await killSandboxes(sandboxes)
      await rm(sandboxes, { recursive: true, force: true })
      await rm(state, { recursive: true, force: true })
      if (leaked.length > 0) throw new Error(`a secret is in ${leaked.join(', ')}`)
    },
  }
}

/** Those that a test left: they outlive their server, and so do their disks. */
async function killSandboxes(dataDir: string): Promise<void> {
  const records = join(dataDir, 'records')
  if (!existsSync(records)) return
  for (const name of readdirSync(records).filter((name) => name.endsWith('.json'))) {
    const { process } = JSON.parse(readFileSync(join(records, name), 'utf8')) as SandboxRecord
    if (process && isAlive(process)) kill(process.pid, 'SIGKILL')
  }
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n')
  for (const place of mounts.flatMap((line) => line.split(' ')[1] ?? []))
    if (place.startsWith(`${dataDir}/`)) await execa('umount', ['--lazy', place])
}
