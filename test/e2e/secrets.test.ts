import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { Client, Connection } from '@temporalio/client'
import { Sandbox } from 'e2b'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { formsOf, historyText } from '../support/canaries.ts'
import { end, eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'

let holdfast: Holdfast
beforeAll(async () => {
  holdfast = await startHoldfast()
  await holdfast.startWorker({ HOLDFAST_LOG_LEVEL: 'warn' })
})
afterAll(() => holdfast.stop())

test('the git token is in no payload of the history and on no disk of the sandbox', async () => {
  const planted = 'planted-canary-value'
  const spec = await holdfast.spec({
    steps: [
      { run: `git config --list --show-origin >config.txt; echo ${planted} >canary.txt; env >env.txt` },
    ],
    review: { required: true },
    sandbox: { keep: 'always' },
  })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  await job.approve({ by: 'the test' })
  const { commit, sandbox: use } = await job.result()
  expect(commit).not.toBeNull()

  const history = await historyOf(job.id)
  const sandbox = await Sandbox.connect(use.sandboxId!, holdfast.sandboxes.connection)
  const found = async (text: string): Promise<string> =>
    (await sandbox.commands.run(`grep -rlF -e '${text}' /home/user /tmp 2>/dev/null || true`)).stdout
  // The search is seen to find what is there, or its silence would prove nothing.
  expect(history.includes(planted)).toBe(true)
  expect(await found(planted)).toContain('canary.txt')
  for (const form of formsOf(holdfast.gitToken)) {
    expect(history.includes(form)).toBe(false)
    expect(await found(form)).toBe('')
  }
})

async function historyOf(id: string): Promise<string> {
  const connection = await Connection.connect({ address: inject('temporalAddress') })
  const history = await new Client({ connection }).workflow.getHandle(id).fetchHistory()
  await connection.close()
  return historyText(history)
}

test('what is looked for at the end of every world is found in a history, a blob, a sandbox and one that is killed, in plain, in base64 and compressed, in logs, traces and metrics', async () => {
  const canary = `canary-${randomUUID()}`
  const encoded = Buffer.from(`x-access-token:${canary}`).toString('base64')
  const job = await holdfast.jobs.submit(
    await holdfast.spec({
      steps: [{ run: `echo ${canary} >plain.txt; echo ${encoded} >encoded.txt; seq 9000; echo ${encoded}` }],
      review: { required: true },
      sandbox: { keep: 'always' },
    }),
  )
  await eventOf(job, 'reviewRequested')
  await job.approve({ by: 'the test' })
  await job.result()
  const killed = await holdfast.spec({
    steps: [{ run: `echo ${encoded} | gzip >~/packed.gz; date >made.txt` }],
  })
  await (await holdfast.jobs.submit(killed)).result()
  // Logs and spans name the job; what the hook says is in the log only.
  const refused = await holdfast.spec({ id: canary, sandbox: { keep: 'never' } })
  await holdfast.repository(refused.repo.url).rejectPushes(`no, ${canary}`)
  await expect((await holdfast.jobs.submit(refused)).result()).rejects.toMatchObject({
    type: 'PushHookRejected',
  })
  // A label of Temporal's own metrics.
  expect(await holdfast.leaks([holdfast.taskQueue])).toContain('metrics')
  // A worker sends the rest of its traces when it ends.
  for (const worker of holdfast.workers) await end(worker, 'SIGTERM')
  const leaks = (await holdfast.leaks([canary])).join('\n')
  expect(leaks).toContain(job.id)
  expect(leaks).toContain('plain.txt')
  expect(leaks).toContain('encoded.txt')
  expect(leaks).toMatch(/killed.*packed\.gz/)
  // What git has made of it on the way to the remote, and the checkpoint.
  expect(leaks).toMatch(/\.git\/objects/)
  expect(leaks).toMatch(/\.bundle$/m)
  expect(leaks).toContain(fileURLToPath(holdfast.blobStore))
  expect(leaks).toMatch(/^a log$/m)
  expect(leaks).toMatch(/^a trace$/m)
  expect(await holdfast.leaks()).toEqual([])
})
