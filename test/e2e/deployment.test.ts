import { Connection } from '@temporalio/client'
import { afterAll, beforeAll, expect, inject, onTestFinished, test, vi } from 'vitest'
import { connect } from '../../src/index.ts'
import { startCloudFront } from '../support/cloud-front.ts'
import { steadyPort } from '../support/steady-port.ts'
import { end, eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'

let holdfast: Holdfast
let connection: Connection
beforeAll(async () => {
  holdfast = await startHoldfast()
  connection = await Connection.connect({ address: inject('temporalAddress') })
})
afterAll(async () => {
  await connection.close()
  await holdfast.stop()
})

const namespace = 'default'
const describeJob = (workflowId: string) =>
  connection.workflowService.describeWorkflowExecution({ namespace, execution: { workflowId } })

test('a job goes on with the version that is made current while it waits, and keeps its priority', async () => {
  const name = `deployment-${holdfast.taskQueue}`
  const start = async (buildId: string, env: NodeJS.ProcessEnv = {}) => {
    const version = { HOLDFAST_DEPLOYMENT_NAME: name, HOLDFAST_BUILD_ID: buildId }
    const worker = await holdfast.startWorker({ ...version, ...env })
    // The server learns of a version by its worker's first poll.
    const makeCurrent = () =>
      connection.workflowService
        .setWorkerDeploymentCurrentVersion({ namespace, deploymentName: name, buildId })
        .then(
          () => true,
          () => false,
        )
    await expect.poll(makeCurrent).toBe(true)
    return worker
  }
  const one = await start('1')
  const priority = { priorityKey: 2, fairnessKey: 'team-web', fairnessWeight: 2 }
  const job = await holdfast.jobs.submit(await holdfast.spec({ priority, review: { required: true } }))
  await eventOf(job, 'reviewRequested')
  const { workflowExecutionInfo: before } = await describeJob(job.id)
  expect(before?.versioningInfo?.deploymentVersion?.buildId).toBe('1')
  expect(before?.priority).toMatchObject(priority)

  const metricsPort = String(await steadyPort())
  const tuned = { HOLDFAST_TARGET_MEMORY: '0.95', HOLDFAST_TARGET_CPU: '1' }
  await start('2', { ...tuned, HOLDFAST_METRICS_PORT: metricsPort })
  await end(one, 'SIGTERM')
  await job.approve({ by: 'the test' })
  expect((await job.result()).commit).toMatch(/^[0-9a-f]{40}$/)
  const { workflowExecutionInfo: after } = await describeJob(job.id)
  expect(after?.versioningInfo?.deploymentVersion?.buildId).toBe('2')
  // Only the resource-based tuner tells these.
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
  expect(metrics).toMatch(/^temporal_resource_slots_mem_usage/m)
})

test('worker and client reach Temporal by TLS and an API key, as Temporal Cloud wants them, and without the key they do not', async () => {
  const front = await startCloudFront(inject('temporalAddress'))
  onTestFinished(() => front.stop())
  const taskQueue = `cloud-${holdfast.taskQueue}`
  const worker = await holdfast.startWorker({ ...front.env, HOLDFAST_TASK_QUEUE: taskQueue })
  onTestFinished(() => end(worker, 'SIGTERM'))
  onTestFinished(() => void vi.unstubAllEnvs())
  for (const [name, value] of Object.entries(front.env)) vi.stubEnv(name, value)
  const jobs = await connect({ taskQueue })
  onTestFinished(() => jobs.close())
  const job = await jobs.submit(await holdfast.spec())
  expect((await job.result()).commit).toMatch(/^[0-9a-f]{40}$/)
  vi.stubEnv('TEMPORAL_API_KEY', 'another')
  await expect(connect({ taskQueue })).rejects.toMatchObject({ type: 'SettingsInvalid', retryable: false })
})
