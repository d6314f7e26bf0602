import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { connect } from '../../src/index.ts'
import { startTemporal } from '../support/temporal.ts'

test('a client that is closed while it tries to reach a server that is gone fails its calls, and ends no process', async () => {
  const temporal = await startTemporal({ headless: true })
  const jobs = await connect({ address: temporal.address, taskQueue: 'nobody' })
  await temporal.stop()
  const ended = jobs
    .get('any')
    .result()
    .catch((error: unknown) => error)
  // Nothing tells from outside that a call has failed and is to be made again.
  await delay(500)
  await jobs.close()
  expect(await ended).toMatchObject({ name: 'HoldfastError', type: 'ServerUnreachable' })
})
