import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Client, Connection } from '@temporalio/client'
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker'
import { median } from '../test/support/median.ts'
import { startTemporal } from '../test/support/temporal.ts'

// What Temporal itself takes of an operation, without anything of ours: an update of a bare workflow that does nothing, one that
// waits for an activity that does nothing, and for a local one. In turn in one run; medians.
// npm run bench -- temporal [--rounds 100] [--json]

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '100' }, json: { type: 'boolean', default: false } },
})
const CASES = ['update', 'activity', 'localActivity'] as const
const WARM_UP = 10

Runtime.install({ logger: new DefaultLogger('ERROR') })
const temporal = await startTemporal({ headless: true })
const { address } = temporal
const [native, connection] = await Promise.all([
  NativeConnection.connect({ address }),
  Connection.connect({ address }),
])
const worker = await Worker.create({
  connection: native,
  taskQueue: 'bare',
  workflowsPath: fileURLToPath(new URL('./temporal/workflow.ts', import.meta.url)),
  activities: { nothing: () => Promise.resolve() },
})
const running = worker.run()
const { workflow } = new Client({ connection })
const handle = await workflow.start('bare', { workflowId: 'bare', taskQueue: 'bare' })

const times: Record<string, number[]> = {}
for (let round = 0; round < Number(values.rounds) + WARM_UP; round++)
  for (const name of CASES) {
    const start = performance.now()
    await handle.executeUpdate(name)
    if (round >= WARM_UP) (times[name] ??= []).push(performance.now() - start)
  }
const medians = CASES.map((name) => ({ name, ms: Math.round(median(times[name] ?? []) * 10) / 10 }))
if (values.json) console.log(JSON.stringify(medians))
else console.table(medians)

await handle.signal('end')
await handle.result()
worker.shutdown()
await running
await connection.close()
await native.close()
await temporal.stop()
