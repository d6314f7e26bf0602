import { afterAll, beforeAll, expect, test } from 'vitest'
import { allEvents, startHoldfast, type Holdfast } from '../support/holdfast.ts'

let world: Holdfast
beforeAll(async () => {
  world = await startHoldfast({ sandboxArgs: ['--sandbox-disk-mb', '64'] })
  await world.startWorker()
})
afterAll(() => world.stop())

/** Disks have a size of their own where the sandbox server may mount them: as root. */
const mounted = async (): Promise<boolean> => {
  const health = await fetch(`${world.sandboxes.apiUrl}/health`)
  return ((await health.json()) as { diskMB: number }).diskMB > 0
}

const fill = 'head -c 200M /dev/zero >/tmp/fill'

test('a disk that a command has filled doesn’t hide how the command ended; the job says what is full', async ({
  skip,
}) => {
  skip(!(await mounted()), 'this machine mounts no disks for this user')
  const steps = [{ run: `${fill} 2>/dev/null || true` }, { run: 'echo never' }]
  const job = await world.jobs.submit(await world.spec({ steps, sandbox: { keep: 'never' } }))
  await expect(job.result()).rejects.toMatchObject({
    type: 'SandboxNoSpace',
    message: expect.stringContaining('No space left on device') as string,
  })
  const events = await allEvents(job)
  expect(events.filter(({ type }) => type === 'stepStarted')).toHaveLength(1)
})

test('a disk that was full for a while costs nothing', async ({ skip }) => {
  skip(!(await mounted()), 'this machine mounts no disks for this user')
  const steps = [{ run: `${fill}; rm /tmp/fill; echo done >NOTES.md` }]
  const job = await world.jobs.submit(await world.spec({ steps }))
  expect(await job.result()).toMatchObject({ outcome: 'completed', diff: { files: 1 } })
})
