import { isIP } from 'node:net'
import { availableParallelism, homedir, totalmem } from 'node:os'
import { join } from 'node:path'
import { Command, InvalidArgumentError, Option } from '@commander-js/extra-typings'
import type { Limits } from './isolation/limits.ts'
import { defaultTemplatesDir } from './interpreter/environment.ts'

export interface ServerConfig {
  /** Address to listen at; `0.0.0.0` and `::` are all of the machine's. */
  host: string
  /** 0 is any free one. */
  port: number
  dataDir: string
  /** Environments prepared for sandboxes, such as the code interpreter's. */
  templatesDir: string
  json: boolean
  isolation: 'best' | 'namespaces' | 'bubblewrap' | 'none'
  /** `host:port` pairs. */
  allowHostLoopback: string[]
  limits: Limits
  /** Tests look at the disks of sandboxes that are gone. */
  keepKilled: boolean
  /** Tests may make things go wrong. */
  faults: boolean
  apiKey: string | undefined
  /** For sandboxes without isolation, which see the host's programs. */
  path: string
}

/** The options of the command line and the environment. Ends the process with a message where they are wrong. */
export function readConfig(argv: string[]): ServerConfig {
  const { E2B_API_KEY: apiKey, PATH: path = '/usr/bin:/bin', XDG_CACHE_HOME: cache } = process.env
  const user = join(cache ?? join(homedir(), '.cache'), 'holdfast/sandboxes')
  const options = new Command()
    .name('sandbox-server')
    .description('E2B-compatible sandboxes on this machine')
    .option(
      '--host <address>',
      'address to listen at; 0.0.0.0 is every one of this machine',
      address,
      '127.0.0.1',
    )
    .option('--port <port>', 'port; 0 picks a free one', port, 0)
    .option(
      '--data-dir <folder>',
      'keeps sandboxes',
      process.getuid?.() === 0 ? '/var/lib/holdfast/sandboxes' : user,
    )
    .option(
      '--templates-dir <folder>',
      'has what was prepared for sandboxes',
      defaultTemplatesDir(process.getuid?.(), homedir(), cache),
    )
    .option('--json', 'print one line of JSON when ready', false)
    .addOption(
      new Option('--isolation <kind>', 'how sandboxes are kept apart')
        .choices(['best', 'namespaces', 'bubblewrap', 'none'] as const)
        .default('best' as const, 'namespaces where they can be had, else bubblewrap'),
    )
    .option(
      '--allow-host-loopback <host:port>',
      'let sandboxes reach this port of the host; repeatable',
      hostPort,
      [],
    )
    .option('--sandbox-memory-mb <n>', 'memory of one sandbox', amount, defaultMemoryMB())
    .option('--sandbox-cpus <n>', 'processors of one sandbox', amount, availableParallelism())
    .option('--sandbox-processes <n>', 'processes and threads of one sandbox', amount, 4096)
    .option('--sandbox-file-mb <n>', 'size of one file in a sandbox', amount, 10_240)
    .option(
      '--sandbox-disk-mb <n>',
      'size of the disk of a sandbox made by root; 0 makes it a plain folder without a limit',
      diskSize,
      10_240,
    )
    .option('--keep-killed', 'keep the disks of killed sandboxes in DATA-DIR/killed, for tests only', false)
    .option('--faults', 'let things be made to go wrong, for tests only', false)
    .parse(argv)
    .opts()
  const limits = {
    memoryMB: options.sandboxMemoryMb,
    cpus: options.sandboxCpus,
    processes: options.sandboxProcesses,
    fileMB: options.sandboxFileMb,
    diskMB: options.sandboxDiskMb,
  }
  return { ...options, limits, apiKey: apiKey === '' ? undefined : apiKey, path }
}

/** Half of the machine's, and no more than 4 GB: several sandboxes run at once. */
const defaultMemoryMB = (): number => Math.min(4096, Math.floor(totalmem() / 2 ** 21))

function amount(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('give a whole number above 0')
}

function diskSize(text: string): number {
  const least = 16
  if (text === '0' || (/^\d{1,7}$/.test(text) && Number(text) >= least)) return Number(text)
  throw new InvalidArgumentError(`give a whole number from ${least} on, or 0`)
}

function address(text: string): string {
  if (isIP(text) !== 0) return text
  throw new InvalidArgumentError('give an IP address, for example 127.0.0.1 or 0.0.0.0')
}

function port(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw new InvalidArgumentError('give a number from 0 to 65535')
}

function hostPort(text: string, earlier: string[]): string[] {
  if (/^[\w.:-]+:\d{1,5}$/.test(text)) return [...earlier, text]
  throw new InvalidArgumentError('give host:port, for example 127.0.0.1:3000')
}
