import { Client, Connection } from '@temporalio/client'
import { Sandbox } from 'e2b'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'

let holdfast: Holdfast
beforeAll(async () => {
  holdfast = await startHoldfast()
  await holdfast.startWorker()
})
afterAll(() => holdfast.stop())

/** All forms in which a token could be found again. */
const formsOf = (token: string): string[] => [
  token,
  Buffer.from(token).toString('base64'),
  Buffer.from(`x-access-token:${token}`).toString('base64'),
]

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

/** The whole history as text, with every payload decoded. */
async function historyOf(id: string): Promise<string> {
  const connection = await Connection.connect({ address: inject('temporalAddress') })
  const history = await new Client({ connection }).workflow.getHandle(id).fetchHistory()
  await connection.close()
  return JSON.stringify(history).replaceAll(/"data":"([A-Za-z0-9+/=]+)"/g, (whole, data: string) => {
    return `${whole}${Buffer.from(data, 'base64').toString('utf8')}`
  })
}
