import type { ChildProcess } from 'node:child_process'
import { Client, Connection } from '@temporalio/client'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { end } from '../support/holdfast.ts'
import { SANDBOX_OPERATION_NAMES } from '../../src/contract/operations/table.ts'
import { type Prepared, startWorld } from '../support/operation-world.ts'

let world: Awaited<ReturnType<typeof startWorld>>
let client: Client
beforeAll(async () => {
  world = await startWorld()
  client = new Client({ connection: await Connection.connect({ address: inject('temporalAddress') }) })
}, 300_000)
afterAll(async () => {
  await client?.connection.close()
  await world?.holdfast.stop()
})

/** The activity of the operation has begun on the worker. One that asks only the blob store, or nobody, doesn't wait for the sandbox. */
const begun = async ({ name, session }: Prepared): Promise<boolean> => {
  if (['code.readArtifact', 'network.getHost'].includes(name)) return true
  const { raw } = await client.workflow.getHandle(session.id).describe()
  return (raw.pendingActivities ?? []).some(
    ({ activityType, lastStartedTime }) => activityType?.name === name && lastStartedTime,
  )
}

test(
  'every operation whose worker is killed in the middle is done once by another one',
  { timeout: 400_000 },
  async () => {
    const { holdfast, prepare } = world
    const prepared: Prepared[] = []
    for (let next = 0; next < SANDBOX_OPERATION_NAMES.length; next += 4)
      prepared.push(...(await Promise.all(SANDBOX_OPERATION_NAMES.slice(next, next + 4).map(prepare))))
    // Requests are held up, so that the worker dies while each is under way.
    await holdfast.sandboxes.faults.arm({ kind: 'latency', ms: 120_000, forMs: 120_000 })
    const results = prepared.map((use) => use.perform())
    await expect
      .poll(async () => (await Promise.all(prepared.map(begun))).every(Boolean), { timeout: 120_000 })
      .toBe(true)
    await end(holdfast.workers[0] as ChildProcess, 'SIGKILL')
    await holdfast.sandboxes.faults.clear()
    await holdfast.startWorker()
    const settled = await Promise.allSettled(results)
    const failed = settled.flatMap((result, index) =>
      result.status === 'rejected' ? [`${prepared[index]?.name}: ${String(result.reason)}`] : [],
    )
    expect(failed).toEqual([])
    for (const [index, use] of prepared.entries())
      await use.check((settled[index] as PromiseFulfilledResult<unknown>).value)
    // With their sandboxes goes what `dangerouslyAuthenticate` has written there.
    await Promise.all(prepared.map(({ session }) => session.close()))
  },
)
