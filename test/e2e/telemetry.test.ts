import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import parse from 'parse-prometheus-text-format'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { METRICS } from '../../src/contract/metrics.ts'
import { dashboardQueries } from '../support/dashboard.ts'
import { end, type Holdfast } from '../support/holdfast.ts'
import { measuredWorld } from '../support/measured-world.ts'
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from '../support/otlp-receiver.ts'

let receiver: OtlpReceiver
let holdfast: Holdfast
let scraped: string
let traced: string
let untraced: string
let folder: string
let log: string

beforeAll(async () => {
  receiver = await startOtlpReceiver()
  // The client of this process and the worker both read OpenTelemetry's own environment.
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', receiver.url)
  vi.stubEnv('OTEL_BSP_SCHEDULE_DELAY', '100')
  folder = await mkdtemp(join(tmpdir(), 'holdfast-telemetry-'))
  const file = join(folder, 'worker.log')
  const handle = await open(file, 'w')
  const world = await measuredWorld({ HOLDFAST_LOG_LEVEL: 'debug' }, handle.fd)
  await handle.close()
  holdfast = world.holdfast
  traced = world.jobId
  scraped = await (await fetch(world.metricsUrl)).text()
  // What git says is in the sandbox as git said it: with the sandbox it goes.
  const failing = await holdfast.spec({ sandbox: { keep: 'never' } })
  await holdfast.repository(failing.repo.url).rejectPushes(`no, ${holdfast.gitToken}`)
  const other = await holdfast.startUnchecked('untraced', failing)
  untraced = other.id
  await expect(other.result()).rejects.toMatchObject({ type: 'PushHookRejected' })
  // Both send what is left when they end.
  await end(world.worker, 'SIGTERM')
  await holdfast.jobs.close()
  log = await readFile(file, 'utf8')
})
afterAll(async () => {
  await holdfast.stop()
  await receiver.stop()
  await rm(folder, { recursive: true, force: true })
  vi.unstubAllEnvs()
})

describe('metrics', () => {
  const families = (): Map<string, ReturnType<typeof parse>[number]> =>
    new Map(parse(scraped).map((family) => [family.name, family]))

  test.each(Object.values(METRICS))('a worker serves $name, with its help', ({ name, kind, help }) => {
    const family = families().get(kind === 'counter' ? `${name}_total` : name)
    expect(family).toMatchObject({ type: kind.toUpperCase(), help })
  })

  test('what happened is counted once, under the closed list of failures', () => {
    const sum = (name: string, labels: Record<string, string> = {}): number =>
      (families().get(name)?.metrics ?? [])
        .filter((metric) =>
          Object.entries(labels).every(([label, value]) => metric.labels?.[label] === value),
        )
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
    expect(scraped).not.toMatch(/job-|sandboxId|workflow_?id=/i)
    expect(scraped).not.toContain(holdfast.gitToken)
  })

  test('every metric that the Grafana dashboard names is there', async () => {
    const suffixed = [...families()].flatMap(([name, { type }]) =>
      type === 'HISTOGRAM' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    )
    const named = (await dashboardQueries()).flatMap(
      ({ expr }) => expr.match(/\b(holdfast|temporal)_\w+/g) ?? [],
    )
    expect(new Set(named).size).toBeGreaterThan(10)
    expect(named.filter((name) => !suffixed.includes(name))).toEqual([])
  })
})

describe('traces', () => {
  const spansOf = (workflowId: string): ReceivedSpan[] => {
    const traces = new Set(
      receiver.spans
        .filter(
          ({ name, attributes }) =>
            name === 'RunWorkflow:agentJob' && attributes.temporalWorkflowId === workflowId,
        )
        .map(({ traceId }) => traceId),
    )
    expect(traces.size).toBe(1)
    return receiver.spans.filter(({ traceId }) => traces.has(traceId))
  }

  /** From the root down, by names. */
  function pathTo(spans: ReceivedSpan[], name: string): string[] {
    const path: string[] = []
    for (let span = spans.find((span) => span.name === name); span;) {
      path.unshift(span.name)
      const { parentSpanId } = span
      span = spans.find(({ spanId }) => spanId === parentSpanId)
    }
    return path
  }

  test('a job is one trace, from its submit through workflow and activities down to the calls of E2B', () => {
    const spans = spansOf(traced)
    const run = ['StartWorkflow:agentJob', 'RunWorkflow:agentJob']
    expect(pathTo(spans, 'E2B:Sandbox.create')).toEqual([
      ...run,
      'RunActivity:createSandbox',
      'E2B:Sandbox.create',
    ])
    expect(pathTo(spans, 'RunActivity:pushBranch')).toEqual([...run, 'RunActivity:pushBranch'])
    const roots = spans.filter(({ parentSpanId }) => !spans.some(({ spanId }) => spanId === parentSpanId))
    expect(roots.map(({ name, service }) => `${service} ${name}`)).toEqual([
      'holdfast-client StartWorkflow:agentJob',
    ])
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length)
  })

  test('the spans of activities name workflow and sandbox', () => {
    const activities = spansOf(traced).filter(({ name }) => name.startsWith('RunActivity:'))
    expect(new Set(activities.map(({ attributes }) => attributes.temporalWorkflowId))).toEqual(
      new Set([traced]),
    )
    const sandboxOf = ({ attributes }: ReceivedSpan): unknown => attributes['holdfast.sandboxId']
    const unnamed = activities.filter((span) => !sandboxOf(span))
    expect(unnamed.map(({ name }) => name)).toEqual(['RunActivity:admitJob', 'RunActivity:deleteCheckpoints'])
    // The one that was lost, and the one in its place.
    expect(new Set(activities.flatMap((span) => sandboxOf(span) ?? [])).size).toBe(2)
  })

  test('a job that was started without a trace is one all the same, with its run as the root', () => {
    const spans = spansOf(untraced)
    expect(pathTo(spans, 'RunActivity:pushBranch')).toEqual([
      'RunWorkflow:agentJob',
      'RunActivity:pushBranch',
    ])
  })

  test('no secret leaves in a trace', () => {
    expect(receiver.spans.length).toBeGreaterThan(20)
    expect(receiver.text()).not.toContain(holdfast.gitToken)
    expect(receiver.text()).not.toContain(holdfast.sandboxes.apiKey)
  })
})

describe('logs', () => {
  test('a line of the log is JSON, and names the workflow and the sandbox that it is about', () => {
    const lines = log.trim().split('\n')
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    const ofActivities = entries.filter(({ activityType }) => activityType)
    expect(ofActivities.length).toBeGreaterThan(10)
    expect(ofActivities.filter(({ workflowId }) => typeof workflowId !== 'string')).toEqual([])
    const pushes = entries.filter(
      ({ activityType, workflowId }) => activityType === 'pushBranch' && workflowId === traced,
    )
    const [completed] = entries.filter(
      ({ msg, workflowId }) => msg === 'Workflow completed' && workflowId === traced,
    )
    expect(completed?.sandboxId).toEqual(expect.any(String))
    expect(completed).toMatchObject({
      sandboxId: pushes.find(({ sandboxId }) => sandboxId)?.sandboxId,
      workflowType: 'agentJob',
    })
    const [failed] = entries.filter(
      ({ msg, workflowId, activityType }) =>
        /failed/i.test(String(msg)) && workflowId === untraced && activityType,
    )
    expect(failed).toMatchObject({
      activityType: 'pushBranch',
      error: { message: expect.stringContaining('remote rejected') as string },
    })
  })

  test('no secret is in the log', () => {
    expect(log).not.toContain(holdfast.gitToken)
    expect(log).not.toContain(holdfast.sandboxes.apiKey)
  })
})
