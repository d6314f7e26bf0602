import { parseArgs } from 'node:util'
import { median } from '../test/support/median.ts'
import { type Case, cases } from './operations/cases.ts'
import { type Range, readCosts } from './operations/history.ts'
import { startWorld } from './operations/world.ts'

// What every operation costs through a session, against the same call by the SDK, one after the other in one run; medians.
// npm run bench -- operations [--rounds 20] [--only commands.run,files.read] [--json | --markdown]

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    markdown: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)

const milliseconds = async (task: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await task()
  return performance.now() - start
}

const world = await startWorld()
try {
  const { session, inside, sdk, client } = world
  const handle = client.workflow.getHandle(session.id)
  const chosen = Object.entries<Case>(cases(world)).filter(
    ([name]) => values.only?.split(',').includes(name) ?? true,
  )
  await session.runCode('1')
  await sdk.runCode('1')
  const samples: Record<string, { session: number[]; sdk: number[] }> = {}
  const ranges: Range[] = []
  // The first round warms up.
  for (let n = 0; n <= rounds; n++)
    for (const [name, one] of chosen) {
      if (one.slow && n % 3 !== 1 && n !== 0) continue
      await one.before?.(inside, n)
      await one.before?.(sdk, n)
      const made = (await one.prepare?.(n)) ?? ''
      const { runId, historyLength: from } = await handle.describe()
      const throughSession = await milliseconds(() => one.session(n, made))
      const after = await handle.describe()
      const madeBySdk = await one.prepareSdk?.(n)
      const bySdk = await milliseconds(() => one.sdk(n, madeBySdk))
      if (n === 0) continue
      const sample = (samples[name] ??= { session: [], sdk: [] })
      sample.session.push(throughSession)
      sample.sdk.push(bySdk)
      // In between the session may have gone on in its next run.
      if (after.runId === runId) ranges.push({ name, runId, from, to: after.historyLength })
    }
  const costs = await readCosts(client, session.id, ranges)
  const rows = Object.entries(samples).map(([name, sample]) => {
    const [ofSession, ofSdk] = [median(sample.session), median(sample.sdk)]
    const { events, actions, activityMs } = costs[name]!
    return {
      operation: name,
      sdkMs: ofSdk,
      sessionMs: ofSession,
      moreMs: ofSession - ofSdk,
      ratio: ofSession / ofSdk,
      activityMs: median(activityMs),
      events: median(events),
      actions: median(actions),
    }
  })
  const rounded = rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([key, value]) => [
        key,
        typeof value === 'number' ? Math.round(value * 10) / 10 : value,
      ]),
    ),
  )
  if (values.json) console.log(JSON.stringify(rounded))
  else if (values.markdown) for (const row of rounded) console.log(`| ${Object.values(row).join(' | ')} |`)
  else console.table(rounded)
} finally {
  await world.stop()
}
