import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { end, type Holdfast } from '../support/holdfast.ts'
import { measuredWorld } from '../support/measured-world.ts'
import { type OtlpReceiver, startOtlpReceiver } from '../support/otlp-receiver.ts'
import { steadyPort } from '../support/steady-port.ts'

/** OpenTelemetry's own Collector: it refuses what isn't OTLP, and hands on what it understood. */
let collector: ChildProcess
let holdfast: Holdfast
let beyond: OtlpReceiver
let folder: string
let jobId: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-collector-'))
  beyond = await startOtlpReceiver()
  const endpoint = `127.0.0.1:${await steadyPort()}`
  const config = {
    receivers: { otlp: { protocols: { http: { endpoint } } } },
    exporters: { otlp_http: { endpoint: beyond.url, encoding: 'json', compression: 'none' } },
    service: {
      telemetry: { metrics: { level: 'none' }, logs: { level: 'warn' } },
      pipelines: { traces: { receivers: ['otlp'], exporters: ['otlp_http'] } },
    },
  }
  // YAML holds all of JSON.
  await writeFile(join(folder, 'collector.yml'), JSON.stringify(config))
  collector = spawn('otelcol', ['--config', join(folder, 'collector.yml')], { stdio: 'inherit' })
  await vi.waitUntil(() => fetch(`http://${endpoint}/`).catch(() => undefined), { timeout: 20_000 })
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', `http://${endpoint}`)
  const world = await measuredWorld()
  ;({ holdfast, jobId } = world)
  // Client and worker send what is left when they end; the Collector hands it on before it ends.
  await end(world.worker, 'SIGTERM')
  await holdfast.jobs.close()
  await end(collector, 'SIGTERM')
}, 90_000)
afterAll(async () => {
  vi.unstubAllEnvs()
  await holdfast.stop()
  await beyond.stop()
  await rm(folder, { recursive: true, force: true })
})

test('a real Collector takes the trace of a job, whole and with the right parents', () => {
  const [run] = beyond.spans.filter(
    ({ name, attributes }) => name === 'RunWorkflow:agentJob' && attributes.temporalWorkflowId === jobId,
  )
  const trace = beyond.spans.filter(({ traceId }) => traceId === run?.traceId)
  const named = (name: string) => trace.filter((span) => span.name === name)
  const [submit, push] = [named('StartWorkflow:agentJob')[0], named('RunActivity:pushBranch')[0]]
  expect(submit?.service).toBe('holdfast-client')
  expect(submit?.parentSpanId).toBeFalsy()
  expect(run?.parentSpanId).toBe(submit?.spanId)
  expect(push?.parentSpanId).toBe(run?.spanId)
  const creates = named('E2B:Sandbox.create').map(({ parentSpanId }) => parentSpanId)
  expect(creates).toEqual(named('RunActivity:createSandbox').map(({ spanId }) => spanId))
  expect(creates).toHaveLength(2)
})

test('no secret is in what it took', () => {
  expect(beyond.text()).toContain(jobId)
  expect(beyond.text()).not.toContain(holdfast.gitToken)
  expect(beyond.text()).not.toContain(holdfast.sandboxes.apiKey)
})
