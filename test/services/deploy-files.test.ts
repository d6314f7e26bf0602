import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

async function check(program: string, ...args: string[]): Promise<{ exitCode: number; all: string }> {
  const { exitCode, all } = await execa(program, args, { cwd: ROOT, reject: false, all: true })
  if (exitCode === undefined) throw new Error(`${program} is not on PATH: CONTRIBUTING.md says how to get it`)
  return { exitCode, all }
}

/** docker-compose.yml with a change. */
async function changed(from: string, to: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-compose-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const text = await readFile(join(ROOT, 'docker-compose.yml'), 'utf8')
  expect(text).toContain(from)
  const file = join(folder, 'docker-compose.yml')
  await writeFile(file, text.replace(from, to))
  return file
}

test.each([[[]], [['--profile', 'sandboxes', '--profile', 'monitoring']]])(
  'Docker Compose accepts docker-compose.yml with %j',
  async (profiles) => {
    const { exitCode, all } = await check('docker-compose', ...profiles, 'config', '--quiet')
    expect(all).toBe('')
    expect(exitCode).toBe(0)
  },
)

test.each([
  ['an unknown key', 'stop_grace_period:', 'stop_grace_time:', 'stop_grace_time'],
  ['a service that is not there', 'temporal-namespace: { condition', 'nobody: { condition', 'nobody'],
])('Docker Compose refuses it with %s', async (_, from, to, named) => {
  const { exitCode, all } = await check(
    'docker-compose',
    '--file',
    await changed(from, to),
    'config',
    '--quiet',
  )
  expect(all).toContain(named)
  expect(exitCode).not.toBe(0)
})

test('hadolint has nothing to say about the Dockerfile', async () => {
  const { exitCode, all } = await check('hadolint', 'Dockerfile')
  expect(all).toBe('')
  expect(exitCode).toBe(0)
})

const checkPrometheus = async (command: string[], cases: object) => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-alerts-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'tests.yml')
  // YAML holds all of JSON.
  await writeFile(
    file,
    JSON.stringify({ rule_files: [join(ROOT, 'deploy/prometheus/alerts.yml')], ...cases }),
  )
  const { exitCode, all } = await check('promtool', ...command, file)
  expect(exitCode, all).toBe(0)
}

test('Prometheus accepts its configuration and the rules', async () => {
  const { exitCode, all } = await check('promtool', 'check', 'config', 'deploy/prometheus/prometheus.yml')
  expect(exitCode, all).toBe(0)
})

const grows = (step: number) => `0+${step}x30`
test.each([
  ['HoldfastNoWorker', 'up{job="workers"}', '0x30'],
  ['HoldfastTemporalDown', 'up{job="temporal"}', '0x30'],
  ['HoldfastE2BUnreachable', 'holdfast_e2b_calls_total{outcome="SandboxUnreachable"}', grows(3)],
  ['HoldfastE2BRateLimited', 'holdfast_e2b_calls_total{outcome="SandboxRateLimited"}', grows(3)],
  ['HoldfastWorkflowTasksFail', 'temporal_workflow_task_execution_failed_total', grows(1)],
  ['HoldfastBlobStoreUnavailable', 'holdfast_activities_total{outcome="BlobStoreUnavailable"}', grows(1)],
  ['HoldfastSandboxesLost', 'holdfast_sandbox_losses_total', grows(1)],
  ['HoldfastSandboxesReaped', 'holdfast_sandboxes_reaped_total', grows(1)],
  ['HoldfastOutcomeUnknown', 'holdfast_jobs_ended_total{outcome="OutcomeUnknown"}', grows(1)],
])('%s fires when it should, and not while all is well', async (alertname, series, values) => {
  const well = series.startsWith('up') ? '1x30' : '7x30'
  const firing = (input: string) => ({
    interval: '1m',
    input_series: [
      { series, values: input },
      ...(series.includes('workers') ? [] : [{ series: 'up{job="workers"}', values: '1x30' }]),
    ],
    promql_expr_test: [
      {
        expr: `count(ALERTS{alertname="${alertname}", alertstate="firing"}) or vector(0)`,
        eval_time: '30m',
        exp_samples: [{ labels: '{}', value: input === values ? 1 : 0 }],
      },
    ],
  })
  await checkPrometheus(['test', 'rules'], { tests: [firing(values), firing(well)] })
})
