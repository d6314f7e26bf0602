import { readFile, readdir, statfs } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'

// The kernel's unit for processor times in /proc, whatever its own tick is.
const ticksPerSecond = 100
const mib = 1024 * 1024

/** `GET /metrics`: what the processes seen here use of the machine. Memory and disk in bytes, the time in unix seconds. */
export interface Metrics {
  ts: number
  cpu_count: number
  /** Of all processors together since the call before, or since the start; 0 to 100. */
  cpu_used_pct: number
  mem_total: number
  mem_used: number
  mem_cache: number
  mem_total_mib: number
  mem_used_mib: number
  disk_used: number
  disk_total: number
}

/** A function that measures; `disk` is a folder on the sandbox's disk. */
export function meter(disk: string): () => Promise<Metrics> {
  let before = { ticks: new Map<string, number>(), at: performance.now() }
  return async () => {
    const processes = await eachProcess()
    const now = { ticks: new Map(processes.map(({ pid, ticks }) => [pid, ticks])), at: performance.now() }
    const used = processes.reduce(
      (sum, { pid, ticks }) => sum + Math.max(0, ticks - (before.ticks.get(pid) ?? 0)),
      0,
    )
    const cpus = availableParallelism()
    const possible = ((now.at - before.at) / 1000) * ticksPerSecond * cpus
    before = now
    const memUsed = processes.reduce((sum, { memory }) => sum + memory, 0)
    const space = await statfs(disk)
    return {
      ts: Math.floor(Date.now() / 1000),
      cpu_count: cpus,
      cpu_used_pct: Math.min(100, Math.round((10_000 * used) / Math.max(possible, 1)) / 100),
      mem_total: totalmem(),
      mem_used: memUsed,
      mem_cache: 0,
      mem_total_mib: Math.floor(totalmem() / mib),
      mem_used_mib: Math.floor(memUsed / mib),
      disk_used: (space.blocks - space.bfree) * space.bsize,
      disk_total: space.blocks * space.bsize,
    }
  }
}

async function eachProcess(): Promise<{ pid: string; ticks: number; memory: number }[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  return Promise.all(
    pids.map(async (pid) => {
      const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')
      const [stat, status] = await Promise.all([read('stat'), read('status')])
      // After the program's name, which may hold spaces and brackets: the 12th and 13th are user and system time.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const kib = /^VmRSS:\s+(\d+)/m.exec(status)?.[1]
      return {
        pid,
        ticks: Number(fields[11] ?? 0) + Number(fields[12] ?? 0),
        memory: Number(kib ?? 0) * 1024,
      }
    }),
  )
}
