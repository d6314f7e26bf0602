import { randomUUID } from 'node:crypto'
import { Connection } from '@temporalio/client'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { connect } from '../../src/index.ts'

const taskQueue = `test-${randomUUID()}`
let jobs: Awaited<ReturnType<typeof connect>>
let connection: Connection
beforeAll(async () => {
  const address = inject('temporalAddress')
  jobs = await connect({ address, taskQueue })
  connection = await Connection.connect({ address })
})
afterAll(async () => {
  await jobs.close()
  await connection.close()
})

/** Takes the next workflow task as a worker would, and answers it with nothing: no command, no word on the updates in it. */
async function neglectTask(): Promise<string[]> {
  const { taskToken, messages } = await connection.withDeadline(Date.now() + 30_000, () =>
    connection.workflowService.pollWorkflowTaskQueue({
      namespace: 'default',
      taskQueue: { name: taskQueue },
      identity: 'a worker that answers nothing',
    }),
  )
  await connection.workflowService.respondWorkflowTaskCompleted({
    namespace: 'default',
    taskToken,
    commands: [],
    identity: 'a worker that answers nothing',
  })
  return messages.map(({ protocolInstanceId }) => protocolInstanceId ?? '')
}

test('an answer that its worker did not take up is sent again, under its id', async () => {
  const job = await jobs.submit({
    id: `job-${randomUUID()}`,
    repo: { url: 'https://git.invalid/acme/web.git' },
    branch: 'holdfast/work',
    steps: [{ run: 'true' }],
  })
  await neglectTask()
  const approved = job.approve({ by: 'the test' }).catch((error: unknown) => error)
  const [first, second] = [await neglectTask(), await neglectTask()]
  expect(first).toHaveLength(1)
  expect(second).toEqual(first)
  await connection.workflowService.terminateWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: job.id },
  })
  expect(await approved).toMatchObject({ name: 'HoldfastError' })
})
