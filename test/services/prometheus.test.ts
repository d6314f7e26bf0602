import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { steadyPort } from '../support/steady-port.ts'
import { dashboardQueries } from '../support/dashboard.ts'
import { end, type Holdfast } from '../support/holdfast.ts'
import { measuredWorld } from '../support/measured-world.ts'

/** Debian's `prometheus`, as `apt-get install prometheus` brings it. */
let prometheus: ChildProcess
let holdfast: Holdfast
let folder: string
let api: string

beforeAll(async () => {
  const world = await measuredWorld()
  holdfast = world.holdfast
  folder = await mkdtemp(join(tmpdir(), 'holdfast-prometheus-'))
  const config = {
    global: { scrape_interval: '1s' },
    scrape_configs: [
      { job_name: 'holdfast', static_configs: [{ targets: [new URL(world.metricsUrl).host] }] },
    ],
  }
  // YAML holds all of JSON.
  await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config))
  const address = `127.0.0.1:${await steadyPort()}`
  api = `http://${address}/api/v1`
  const args = [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=${address}`,
    '--log.level=error',
  ]
  prometheus = spawn('prometheus', args, { stdio: 'inherit' })
  // Rates need two scrapes.
  await vi.waitUntil(
    async () => Number((await values('count_over_time(up{job="holdfast"}[1m])').catch(() => []))[0]) > 2,
    { timeout: 30_000, interval: 500 },
  )
}, 90_000)
afterAll(async () => {
  await end(prometheus, 'SIGTERM')
  await holdfast.stop()
  await rm(folder, { recursive: true, force: true })
})

async function values(query: string): Promise<string[]> {
  const response = await fetch(`${api}/query?${new URLSearchParams({ query }).toString()}`)
  const answer = (await response.json()) as {
    error?: string
    data?: { result: { value: [number, string] }[] }
  }
  if (!answer.data) throw new Error(`${query}: ${answer.error}`)
  return answer.data.result.map(({ value }) => value[1])
}

test('a real Prometheus takes what a worker serves', async () => {
  expect(await values('sum(holdfast_jobs_ended_total{outcome="completed"})')).toEqual(['1'])
})

test('a real Prometheus answers every query of the Grafana dashboard with data', async () => {
  for (const { panel, expr } of await dashboardQueries()) {
    const found = await values(expr.replaceAll('$__rate_interval', '1m'))
    expect(found, panel).not.toEqual([])
  }
})
