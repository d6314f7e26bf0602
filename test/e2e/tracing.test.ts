import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { end, type Holdfast, startHoldfast } from '../support/holdfast.ts'
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from '../support/otlp-receiver.ts'

let receiver: OtlpReceiver
let holdfast: Holdfast
let traced: { id: string; sandboxId: string | null }
let untraced: string

beforeAll(async () => {
  receiver = await startOtlpReceiver()
  // The client of this process and the worker both read OpenTelemetry's own environment.
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', receiver.url)
  vi.stubEnv('OTEL_BSP_SCHEDULE_DELAY', '100')
  holdfast = await startHoldfast()
  const worker = await holdfast.startWorker()
  const steps = [{ run: `echo '${holdfast.gitToken}' >made` }]
  const job = await holdfast.jobs.submit(await holdfast.spec({ steps }))
  const { sandbox } = await job.result()
  traced = { id: job.id, sandboxId: sandbox.sandboxId }
  const other = await holdfast.startUnchecked('untraced', await holdfast.spec({ steps: [{ run: 'exit 3' }] }))
  untraced = other.id
  await expect(other.result()).rejects.toMatchObject({ type: 'StepFailed' })
  // Both send what is left when they end.
  await end(worker, 'SIGTERM')
  await holdfast.jobs.close()
})
afterAll(async () => {
  await holdfast.stop()
  await receiver.stop()
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
  expect(pathTo(spans, 'RunActivity:runCommand')).toEqual(['RunWorkflow:agentJob', 'RunActivity:runCommand'])
})

test('no secret leaves in a trace', () => {
  expect(receiver.spans.length).toBeGreaterThan(20)
  expect(receiver.text()).not.toContain(holdfast.gitToken)
  expect(receiver.text()).not.toContain(holdfast.sandboxes.apiKey)
})
