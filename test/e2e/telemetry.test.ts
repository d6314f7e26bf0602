import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { end, type Holdfast, startHoldfast } from '../support/holdfast.ts'
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from '../support/otlp-receiver.ts'

let receiver: OtlpReceiver
let holdfast: Holdfast
let traced: { id: string; sandboxId: string | null }
let untraced: string
let folder: string
let log: string

beforeAll(async () => {
  receiver = await startOtlpReceiver()
  // The client of this process and the worker both read OpenTelemetry's own environment.
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', receiver.url)
  vi.stubEnv('OTEL_BSP_SCHEDULE_DELAY', '100')
  holdfast = await startHoldfast()
  folder = await mkdtemp(join(tmpdir(), 'holdfast-telemetry-'))
  const file = join(folder, 'worker.log')
  const handle = await open(file, 'w')
  const worker = await holdfast.startWorker({ HOLDFAST_LOG_LEVEL: 'debug' }, handle.fd)
  await handle.close()
  const steps = [{ run: `echo '${holdfast.gitToken}' >made` }]
  const job = await holdfast.jobs.submit(await holdfast.spec({ steps }))
  const { sandbox } = await job.result()
  traced = { id: job.id, sandboxId: sandbox.sandboxId }
  const failing = await holdfast.spec({ steps: [{ write: 'made', content: 'x' }] })
  await holdfast.repository(failing.repo.url).rejectPushes(`no, ${holdfast.gitToken}`)
  const other = await holdfast.startUnchecked('untraced', failing)
  untraced = other.id
  await expect(other.result()).rejects.toMatchObject({ type: 'PushHookRejected' })
  // Both send what is left when they end.
  await end(worker, 'SIGTERM')
  await holdfast.jobs.close()
  log = await readFile(file, 'utf8')
})
afterAll(async () => {
  await holdfast.stop()
  await receiver.stop()
  await rm(folder, { recursive: true, force: true })
  vi.unstubAllEnvs()
})

const spansOf = (workflowId: string): ReceivedSpan[] => {
  const traces = new Set(
    receiver.spans
      .filter(({ attributes }) => attributes.temporalWorkflowId === workflowId)
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
  const spans = spansOf(traced.id)
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
  const activities = spansOf(traced.id).filter(({ name }) => name.startsWith('RunActivity:'))
  const { id, sandboxId } = traced
  expect(activities.length).toBeGreaterThan(5)
  expect(new Set(activities.map(({ attributes }) => attributes.temporalWorkflowId))).toEqual(new Set([id]))
  const named = activities.filter(({ attributes }) => attributes['holdfast.sandboxId'] === sandboxId)
  // All but the one that comes before the sandbox, and the one that comes after it.
  expect(activities.length - named.length).toBe(2)
})

test('a job that was started without a trace is one all the same, with its run as the root', () => {
  const spans = spansOf(untraced)
  expect(pathTo(spans, 'RunActivity:pushBranch')).toEqual(['RunWorkflow:agentJob', 'RunActivity:pushBranch'])
})

test('no secret leaves in a trace', () => {
  expect(receiver.spans.length).toBeGreaterThan(20)
  expect(receiver.text()).not.toContain(holdfast.gitToken)
  expect(receiver.text()).not.toContain(holdfast.sandboxes.apiKey)
})

test('a line of the log is JSON, and names the workflow and the sandbox that it is about', () => {
  const lines = log.trim().split('\n')
  const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  const ofActivities = entries.filter(({ activityType }) => activityType)
  expect(ofActivities.length).toBeGreaterThan(10)
  expect(
    ofActivities.filter(({ workflowId }) => workflowId !== traced.id && workflowId !== untraced),
  ).toEqual([])
  const pushes = entries.filter(
    ({ activityType, workflowId }) => activityType === 'pushBranch' && workflowId === traced.id,
  )
  expect(new Set(pushes.map(({ sandboxId }) => sandboxId))).toContain(traced.sandboxId)
  const [completed] = entries.filter(
    ({ msg, workflowId }) => msg === 'Workflow completed' && workflowId === traced.id,
  )
  expect(completed).toMatchObject({ sandboxId: traced.sandboxId, workflowType: 'agentJob' })
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
