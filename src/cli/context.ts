import { userInfo } from 'node:os'
import type { Jobs } from '../client/jobs.ts'
import type { Globals } from './base-program.ts'
import { CliError } from './errors.ts'
import { print } from './terminal.ts'

/** How long a server may take to answer the first time, in ms: a person waits for it. */
const CONNECT_MS = 4_000

/** Connects, does the work with the client, and closes the connection. @throws HoldfastError, CliError */
export async function withJobs<T>(globals: Globals, work: (jobs: Jobs) => Promise<T>): Promise<T> {
  const jobs = await connectSoon(globals)
  try {
    return await work(jobs)
  } finally {
    await jobs.close()
  }
}

async function connectSoon({ address, namespace, taskQueue }: Globals): Promise<Jobs> {
  const { connect } = await import('../client/connect.ts')
  return connect({ address, namespace, taskQueue, timeoutMs: CONNECT_MS })
}

/** Prints an answer: as one line of JSON with --json, otherwise in words. */
export function answer(globals: Globals, value: unknown, words: () => string): void {
  print(globals.json ? JSON.stringify(value) : words())
}

/** How this command line is called with the same server, for the commands that are suggested to a person. */
export function programOf({ address, namespace }: Pick<Globals, 'address' | 'namespace'>): string {
  const options = Object.entries({ '--address': address, '--namespace': namespace })
  return ['holdfast', ...options.flatMap(([name, value]) => (value ? [name, quoted(value)] : []))].join(' ')
}

/** One word for a POSIX shell. */
export const quoted = (value: string): string =>
  /^[\w.:/@-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`

/** Who answers a review, when --by doesn't say. @throws CliError where the system has no name for the user */
export function whoAmI(): string {
  try {
    return userInfo().username
  } catch (error) {
    throw new CliError('Usage', 'the system has no name for this user', {
      remedy: 'say who answers by --by NAME',
      cause: error,
    })
  }
}

type ServerOption = 'address' | 'namespace' | 'taskQueue'

const ENVIRONMENT: Record<ServerOption, string> = {
  address: 'TEMPORAL_ADDRESS',
  namespace: 'TEMPORAL_NAMESPACE',
  taskQueue: 'HOLDFAST_TASK_QUEUE',
}

/** Refuses options that the command would ignore. @throws CliError `Usage` naming what does the same */
export function refuseOptions(globals: Globals, command: string, ignored: ServerOption[]): void {
  const given = ignored.filter((name) => globals[name] !== undefined)
  if (given.length === 0) return
  throw new CliError('Usage', `${command} does not take ${given.map(optionName).join(', ')}`, {
    remedy: `set ${given.map((name) => ENVIRONMENT[name]).join(', ')} instead`,
  })
}

const optionName = (name: ServerOption): string => `--${name === 'taskQueue' ? 'task-queue' : name}`
