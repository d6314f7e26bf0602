import parse from 'parse-prometheus-text-format'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { METRICS } from '../../src/contract/metrics.ts'
import { dashboardQueries } from '../support/dashboard.ts'
import type { Holdfast } from '../support/holdfast.ts'
import { measuredWorld } from '../support/measured-world.ts'

let holdfast: Holdfast
let text: string
let families: Map<string, ReturnType<typeof parse>[number]>
beforeAll(async () => {
  const world = await measuredWorld()
  holdfast = world.holdfast
  text = await (await fetch(`http://127.0.0.1:${world.port}/metrics`)).text()
  families = new Map(parse(text).map((family) => [family.name, family]))
})
afterAll(() => holdfast.stop())

test.each(Object.values(METRICS))('a worker serves $name, with its help', ({ name, kind, help }) => {
  const family = families.get(kind === 'counter' ? `${name}_total` : name)
  expect(family).toMatchObject({ type: kind.toUpperCase(), help })
})

test('what happened is counted once, under the closed list of failures', () => {
  const sum = (name: string, labels: Record<string, string> = {}): number =>
    (families.get(name)?.metrics ?? [])
      .filter((metric) => Object.entries(labels).every(([label, value]) => metric.labels?.[label] === value))
      .reduce((total, { value }) => total + Number(value), 0)
  expect({
    jobs: sum('holdfast_jobs_ended_total', { outcome: 'completed' }),
    reviews: sum('holdfast_job_waits_total', { kind: 'review' }),
    losses: sum('holdfast_sandbox_losses_total', { failure: 'SandboxGone' }),
    pauses: sum('holdfast_activities_total', { activityType: 'pauseSandbox', outcome: 'ok' }),
    creates: sum('holdfast_e2b_calls_total', { call: 'Sandbox.create', outcome: 'ok' }),
    adopted: sum('holdfast_sandboxes_adopted_total'),
  }).toEqual({ jobs: 1, reviews: 1, losses: 1, pauses: 1, creates: 2, adopted: 0 })
})

test('no label grows with the number of jobs, and none holds a secret', () => {
  expect(text).not.toMatch(/job-|sandboxId|workflow_?id=/i)
  expect(text).not.toContain(holdfast.gitToken)
})

test('every metric that the Grafana dashboard names is there', async () => {
  const suffixed = [...families].flatMap(([name, { type }]) =>
    type === 'HISTOGRAM' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  )
  const named = (await dashboardQueries()).flatMap(
    ({ expr }) => expr.match(/\b(holdfast|temporal)_\w+/g) ?? [],
  )
  expect(new Set(named).size).toBeGreaterThan(10)
  expect(named.filter((name) => !suffixed.includes(name))).toEqual([])
})
