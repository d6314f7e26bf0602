import { request, type Agent } from 'node:http'
import { z } from 'zod'

const firstMs = 500
const everyMs = 5_000
// An hour.
const maxSamples = 720
const maxBytes = 4_096

// envd is in the sandbox, where anything may answer in its place.
const envdMetrics = z.object({
  ts: z.number(),
  cpu_count: z.number(),
  cpu_used_pct: z.number(),
  mem_total: z.number(),
  mem_used: z.number(),
  mem_cache: z.number(),
  disk_used: z.number(),
  disk_total: z.number(),
})
/** What envd has measured. */
export type Sample = z.infer<typeof envdMetrics>

/** Measures a sandbox while it runs, and keeps the last hour in memory. */
export class Sampler {
  #samples: Sample[] = []
  #timer: NodeJS.Timeout | undefined
  #envd: () => { socketPath: string; agent: Agent }

  constructor(envd: () => { socketPath: string; agent: Agent }) {
    this.#envd = envd
  }

  start(): void {
    this.#schedule(firstMs)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Samples of this time, in unix seconds, oldest first. */
  between(start = 0, end = Infinity): Sample[] {
    return this.#samples.filter(({ ts }) => ts >= start && ts <= end)
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer)
    const timer = setTimeout(() => {
      void this.#sample().finally(() => {
        if (this.#timer === timer) this.#schedule(everyMs)
      })
    }, ms)
    this.#timer = timer.unref()
  }

  async #sample(): Promise<void> {
    // One that can't be had is left out: the sandbox is being paused, or its envd is busy.
    const sample = await measure(this.#envd()).catch(() => undefined)
    if (sample) this.#samples = [...this.#samples, sample].slice(-maxSamples)
  }
}

async function measure(envd: { socketPath: string; agent: Agent }): Promise<Sample> {
  const text = await new Promise<string>((resolve, reject) => {
    const signal = AbortSignal.timeout(everyMs)
    const get = request({ ...envd, path: '/metrics', signal }, (answer) => {
      let body = ''
      answer.setEncoding('utf8').on('data', (part: string) => {
        body += part
        if (body.length > maxBytes) get.destroy(new Error('/metrics: is too long'))
      })
      answer.on('error', reject)
      answer.on('end', () => resolve(body))
    })
    get.on('error', reject)
    get.end()
  })
  return envdMetrics.parse(JSON.parse(text))
}
