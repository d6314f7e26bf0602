import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Sandbox } from 'e2b'
import { descendants } from '../src/local-sandbox/isolation/processes.ts'
import { startSandboxServer } from '../test/support/sandbox-server.ts'
import { median } from '../test/support/median.ts'

// How the local sandbox server compares, on this machine and in one run, with what it is made of.
// npm run bench -- local-sandbox [--rounds 20] [--at-once 50] [--isolation KIND] [--json]

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    'at-once': { type: 'string', default: '50' },
    isolation: { type: 'string', default: 'best' },
    json: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
const atOnce = Number(values['at-once'])

const server = await startSandboxServer({ args: ['--isolation', values.isolation] })
const create = () => Sandbox.create({ ...server.connection, timeoutMs: 600_000 })

const milliseconds = async (task: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await task()
  return performance.now() - start
}

/** Each task once per round, one after the other, so that all meet the same weather; medians. */
async function medians<Name extends string>(tasks: Record<Name, () => Promise<number>>) {
  const samples = new Map<string, number[]>()
  for (let round = 0; round < rounds; round++)
    for (const [name, task] of Object.entries<() => Promise<number>>(tasks))
      samples.set(name, [...(samples.get(name) ?? []), await task()])
  return Object.fromEntries([...samples].map(([name, of]) => [name, median(of)])) as Record<Name, number>
}

/** The process of a sandbox's envd, as its record has it. */
function envdOf({ sandboxId }: Sandbox): number {
  const record = readFileSync(join(server.dataDir, 'records', `${sandboxId}.json`), 'utf8')
  return (JSON.parse(record) as { process: { pid: number } }).process.pid
}

const status = (pid: number | undefined, field: string): number[] =>
  new RegExp(`^${field}:(.*)`, 'm')
    .exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!
    .trim()
    .split('\t')
    .map(Number)

/** The very command that made a sandbox, with another program in place of envd. */
function inIsolation(sandbox: Sandbox, program: string[]): () => Promise<number> {
  const envd = envdOf(sandbox)
  const [parent] = status(envd, 'PPid')
  const made = readFileSync(`/proc/${parent}/cmdline`, 'utf8').split('\0')
  const tool = made.slice(0, made.lastIndexOf('--'))
  const [[uid], [gid]] = [status(parent, 'Uid'), status(parent, 'Gid')]
  const user = process.getuid?.() === 0 ? { uid, gid } : {}
  return () => bare([...tool, '--', ...program], user)
}

// The tools insist on more descriptors than three.
const nowhere = openSync('/dev/null', 'r+')
// Nobody's start-up files are to be measured.
const env = { PATH: process.env['PATH'], HOME: '/nonexistent' }
const bare = (
  [command = '', ...args]: string[],
  user: { uid?: number | undefined; gid?: number | undefined } = {},
) =>
  milliseconds(async () => {
    const child = spawn(command, args, { ...user, stdio: Array<number>(5).fill(nowhere), cwd: '/', env })
    const [code] = (await once(child, 'exit')) as [number]
    if (code !== 0) throw new Error(`${command} exited with ${code}`)
  })

/** Memory of a sandbox's processes, shared pages counted in part, in MB. */
function memory(sandbox: Sandbox): number {
  const kilobytes = descendants(envdOf(sandbox)).map(({ pid }) =>
    Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))![1]),
  )
  return kilobytes.reduce((sum, one) => sum + one, 0) / 1024
}

async function manyAtOnce() {
  let all: Sandbox[] = []
  const started = await milliseconds(async () => {
    all = await Promise.all(Array.from({ length: atOnce }, create))
  })
  const ran = await milliseconds(() => Promise.all(all.map((sandbox) => sandbox.commands.run('true'))))
  const each = all.reduce((sum, sandbox) => sum + memory(sandbox), 0) / all.length
  await Promise.all(all.map((sandbox) => sandbox.kill()))
  return { started, ran, each }
}

/** Of a file of 100 MB that can't be packed: as the SDK asks for it (gzip), and plain. */
async function downloads(sandbox: Sandbox) {
  await sandbox.commands.run('head -c 100M /dev/urandom > large')
  const url = await sandbox.downloadUrl('large')
  const headers = { 'accept-encoding': 'identity' }
  return {
    read100MB: await milliseconds(() => sandbox.files.read('large', { format: 'bytes' })),
    plainDownload100MB: await milliseconds(async () => (await fetch(url, { headers })).arrayBuffer()),
  }
}

const fillings = {
  '1GB': 'head -c 1G /dev/urandom > large',
  '20000Files': 'for d in $(seq 200); do mkdir $d; for f in $(seq 100); do echo $f > $d/$f; done; done',
}

/** Snapshot and fork of a sandbox that holds much, beside a plain copy of its home on the host. */
async function copies(): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  for (const [name, fill] of Object.entries(fillings)) {
    const sandbox = await create()
    await sandbox.commands.run(`${fill}; sync`, { timeoutMs: 300_000 })
    const home = join(server.dataDir, 'sandboxes', sandbox.sandboxId, 'disk/home')
    const copy = join(server.dataDir, 'copy')
    found[`plainCopyOf${name}`] = await bare(['cp', '-a', home, copy])
    await rm(copy, { recursive: true })
    found[`snapshotOf${name}`] = await milliseconds(() => sandbox.createSnapshot())
    let forks: Awaited<ReturnType<Sandbox['fork']>> = []
    found[`forkOf${name}`] = await milliseconds(async () => void (forks = await sandbox.fork()))
    await Promise.all([sandbox, ...(forks as Sandbox[])].map((one) => one.kill()))
  }
  return found
}

async function measure() {
  const sandbox = await create()
  const bareTool = inIsolation(sandbox, ['true'])
  const fresh: Sandbox[] = []
  const single = await medians({
    bareTool,
    bashInIsolation: inIsolation(sandbox, ['bash', '-lc', 'true']),
    bashPlain: () => bare(['bash', '-lc', 'true']),
    create: () => milliseconds(async () => void fresh.push(await create())),
    firstCommand: () => milliseconds(() => fresh.at(-1)!.commands.run('true')),
    kill: () => milliseconds(() => fresh.pop()!.kill()),
    command: () => milliseconds(() => sandbox.commands.run('true')),
    pause: () => milliseconds(() => sandbox.pause()),
    resume: () => milliseconds(() => sandbox.connect()),
  })
  const large = await downloads(sandbox)
  const many = await manyAtOnce()
  return {
    ...single,
    ...large,
    createToFirstCommand: single.create + single.firstCommand,
    createToBareTool: (single.create + single.firstCommand) / single.bareTool,
    commandOverBash: single.command - single.bashPlain,
    [`create${atOnce}AtOnce`]: many.started,
    [`command${atOnce}AtOnce`]: many.ran,
    memoryPerSandboxMB: many.each,
    ...(await copies()),
  }
}

try {
  const rounded = Object.entries(await measure()).map(([name, value]) => [name, Math.round(value * 10) / 10])
  if (values.json) console.log(JSON.stringify(Object.fromEntries(rounded)))
  else console.table(Object.fromEntries(rounded.map(([name, value]) => [name, { value }])))
} finally {
  await server.stop()
}
