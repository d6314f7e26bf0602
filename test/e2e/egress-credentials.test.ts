import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Sandbox } from 'e2b'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startLlmEndpoint, type LlmEndpoint } from '../../src/demo/llm-endpoint.ts'
import { type AgentJobInput, secret } from '../../src/index.ts'
import { end, eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'
import { installSmallAgent, smallAgent } from '../support/small-agent.ts'

const KEY = 'sk-the-key-of-the-model-2718'

let holdfast: Holdfast
let endpoint: LlmEndpoint
beforeAll(async () => {
  endpoint = await startLlmEndpoint(() => ({ content: 'echo 42 >ANSWER.md' }))
  holdfast = await startHoldfast({
    sandboxArgs: ['--faults', '--allow-host-loopback', `localhost:${endpoint.port}`],
  })
})
afterEach(async () => {
  await holdfast.sandboxes.faults.clear()
  await Promise.all(holdfast.workers.map((worker) => end(worker, 'SIGTERM')))
})
afterAll(async () => {
  await holdfast.stop()
  await endpoint.stop()
})

const startWorker = (byEgress: string) =>
  holdfast.startWorker({ HOLDFAST_SECRET_MODEL_KEY: KEY, HOLDFAST_SECRETS_BY_EGRESS: byEgress })

/**
 * Writes down, again and again, how what is in any environment of the sandbox under a key's name begins, and whatever in any process's
 * arguments looks like a token of the git host or the key.
 */
const spy = {
  run: `setsid sh -c 'while :; do
  cat /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n" | grep -aoE "^HOLDFAST_(GIT_PASSWORD|AGENT_KEY)=..." >>/tmp/seen
  cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" "\\n" | grep -aE "(write|read)-[0-9a-f]{8}-|sk-[t]he-key" >>/tmp/arguments
  sleep 0.02
done' >/dev/null 2>&1 </dev/null &`,
  name: 'spy',
}
const agent = () => ({
  agent: { ...smallAgent, keyHeader: 'x-of-the-model' },
  prompt: 'Write the answer',
  model: 'small',
  baseUrl: endpoint.baseUrl,
  key: secret('MODEL_KEY'),
})

/** A job whose push takes as long as it likes: `pushing` resolves when it is under way, and `let go` lets it end. */
async function spiedJob(changes: Partial<AgentJobInput>, remote = 'localhost') {
  const made = await holdfast.spec({
    steps: [spy, installSmallAgent, agent()],
    review: {},
    sandbox: { keep: 'always', network: { denyOut: ['203.0.113.0/24'] } },
    ...changes,
  })
  const spec = { ...made, repo: { ...made.repo, url: made.repo.url.replace('localhost', remote) } }
  const repository = holdfast.repository(spec.repo.url)
  await repository.installHook('pre-receive', 'touch begun; until [ -e go ]; do sleep 0.02; done')
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  await job.approve({ by: 'the test' })
  await expect.poll(() => existsSync(join(repository.path, 'begun'))).toBe(true)
  return { job, repository, letGo: () => writeFile(join(repository.path, 'go'), '') }
}

async function seenIn(sandboxId: string): Promise<{ seen: string[]; network: unknown }> {
  const sandbox = await Sandbox.connect(sandboxId, holdfast.sandboxes.connection)
  const { stdout } = await sandbox.commands.run('sort -u /tmp/seen')
  expect((await sandbox.commands.run('cat /tmp/arguments')).stdout).toBe('')
  const { network } = await sandbox.getInfo()
  return { seen: stdout.trim().split('\n').filter(Boolean), network }
}

test("a git token and an agent's key serve a job from outside of its sandbox, though the worker is killed while it pushes", async () => {
  const worker = await startWorker('always')
  const { job, repository, letGo } = await spiedJob({})
  const { sandbox: use } = await job.status()
  const during = await seenIn(use.sandboxId!)
  expect(during.network).toMatchObject({
    rules: { localhost: [{ transform: { headers: { Authorization: '***' } } }] },
  })
  await end(worker, 'SIGKILL')
  await startWorker('always')
  await letGo()
  const { commit } = await job.result()
  expect(await repository.head('holdfast/work')).toBe(commit)
  expect(endpoint.headers()).toMatchObject([{ 'x-of-the-model': KEY }])
  const { seen, network } = await seenIn(use.sandboxId!)
  expect(seen).toEqual(['HOLDFAST_AGENT_KEY=kep'])
  // The job's own rules stand, and the token's is gone.
  expect(network).toMatchObject({ denyOut: ['203.0.113.0/24'] })
  expect((network as { rules?: object }).rules ?? {}).toEqual({})
})

test.each([
  ['the remote is named by its address, which rules are not for', '127.0.0.1', undefined],
  ['the network layer refuses rules', 'localhost', 400],
])('where %s, the token is in the environment of one command', async (_name, remote, status) => {
  await startWorker('auto')
  if (status)
    await holdfast.sandboxes.faults.arm({
      kind: 'answer',
      status,
      method: 'PUT',
      path: '/network$',
      times: 100,
    })
  const { job, letGo } = await spiedJob(
    { steps: [spy, { write: 'NOTES.md', content: 'made by a job\n' }] },
    remote,
  )
  const { sandbox: use } = await job.status()
  await expect
    .poll(async () => (await seenIn(use.sandboxId!)).seen)
    .toEqual([`HOLDFAST_GIT_PASSWORD=${holdfast.gitToken.slice(0, 3)}`])
  await letGo()
  await job.result()
})

test('a worker that lets no credential into a sandbox refuses a job that would need it, before a sandbox is made', async () => {
  await startWorker('always')
  const before = (await holdfast.listSandboxes()).length
  const { repo, ...rest } = await holdfast.spec({})
  const job = await holdfast.jobs.submit({
    ...rest,
    repo: { ...repo, url: repo.url.replace('localhost', '127.0.0.1') },
  })
  await expect(job.result()).rejects.toMatchObject({
    type: 'SecretForbidden',
    message: expect.stringMatching(/HOLDFAST_SECRETS_BY_EGRESS.*rules are for hosts by name/) as string,
  })
  expect((await holdfast.listSandboxes()).length).toBe(before)
})
