import { existsSync, watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { end, eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'

let holdfast: Holdfast
beforeAll(async () => {
  holdfast = await startHoldfast()
})
afterAll(() => holdfast.stop())

test('a worker killed while its push is under way pushes once, and the next one finds it done', async () => {
  const first = await holdfast.startWorker()
  const spec = await holdfast.spec()
  const repository = holdfast.repository(spec.repo.url)
  // The remote has taken the push, and its answer is long in coming.
  await repository.installHook('post-receive', 'cat >>pushes.log; sleep 4')
  const job = await holdfast.jobs.submit(spec)
  await untilExists(join(repository.path, 'pushes.log'))
  await end(first, 'SIGKILL')
  const second = await holdfast.startWorker()
  const result = await job.result()
  expect(result.remoteHead).toBe(result.commit)
  expect(await repository.head('holdfast/work')).toBe(result.commit)
  const pushes = (await readFile(join(repository.path, 'pushes.log'), 'utf8')).trim().split('\n')
  expect(pushes).toEqual([`${'0'.repeat(40)} ${result.commit} refs/heads/holdfast/work`])
  await end(second, 'SIGTERM')
})

test('a push whose reply was lost is found done when it is tried again', async () => {
  const worker = await holdfast.startWorker()
  const spec = await holdfast.spec()
  const repository = holdfast.repository(spec.repo.url)
  // The remote has taken the push, then its server dies before it can say so.
  await repository.installHook('post-receive', 'cat >>pushes.log; kill -KILL $(ps -o ppid= -p $PPID) $PPID')
  const job = await holdfast.jobs.submit(spec)
  const result = await job.result()
  expect(await repository.head('holdfast/work')).toBe(result.commit)
  expect((await readFile(join(repository.path, 'pushes.log'), 'utf8')).trim().split('\n')).toHaveLength(1)
  await end(worker, 'SIGTERM')
})

test("a job whose id another one had before, which Temporal has forgotten, pushes its own work beside the other one's", async () => {
  const worker = await holdfast.startWorker()
  const spec = await holdfast.spec({ push: { onConflict: 'rebase' } })
  const earlier = await (await holdfast.jobs.submit(spec)).result()
  const { workflowService } = holdfast.workflows
  await workflowService.deleteWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: spec.id },
  })
  await expect
    .poll(() =>
      holdfast.jobs
        .get(spec.id)
        .status()
        .catch((error: { type: string }) => error.type),
    )
    .toBe('JobNotFound')
  const steps = [{ write: 'LATER.md', content: 'of the later job\n' }]
  const { commit, remoteHead } = await (await holdfast.jobs.submit({ ...spec, steps })).result()
  expect(remoteHead).toBe(commit)
  const repository = holdfast.repository(spec.repo.url)
  expect(await repository.log('main..holdfast/work', '%H')).toBe(`${commit}\n${earlier.commit}`)
  expect(await repository.show('holdfast/work:LATER.md')).toBe('of the later job')
  await end(worker, 'SIGTERM')
})

test('workers killed again and again, a job of many steps does each of them once', async () => {
  const steps = Array.from({ length: 6 }, (_, n) => ({
    name: `step ${n}`,
    run: `echo ${n} >>steps.txt; sleep 0.5`,
  }))
  const spec = await holdfast.spec({ steps, review: { required: true } })
  let worker = await holdfast.startWorker()
  const job = await holdfast.jobs.submit(spec)
  let next = 0
  for (const name of ['step 0', 'step 2', 'step 4']) {
    for await (const event of job.events({ from: next })) {
      next = event.seq + 1
      if (event.type === 'stepStarted' && event.name === name) break
    }
    await end(worker, 'SIGKILL')
    worker = await holdfast.startWorker()
  }
  await eventOf(job, 'reviewRequested', next)
  await end(worker, 'SIGKILL')
  worker = await holdfast.startWorker()
  await job.approve({ by: 'the test' })
  const { commit } = await job.result()
  expect(await holdfast.repository(spec.repo.url).show(`${commit}:steps.txt`)).toBe('0\n1\n2\n3\n4\n5')
  await end(worker, 'SIGTERM')
})

/** Resolves when the file is there. */
async function untilExists(path: string): Promise<void> {
  const watcher = watch(dirname(path))
  try {
    await new Promise<void>((resolve) => {
      watcher.on('change', (_, name) => {
        if (String(name) === basename(path)) resolve()
      })
      if (existsSync(path)) resolve()
    })
  } finally {
    watcher.close()
  }
}
