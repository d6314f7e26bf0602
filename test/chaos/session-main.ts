import { Command } from '@commander-js/extra-typings'
import { sessionChaos } from './session.ts'
import { startWorld } from './world.ts'

const options = new Command('chaos:session')
  .description('Sends commands to one session while workers and Temporal die. Exit 0: each was done once.')
  .option('--commands <n>', 'how many', Number, 1_000)
  .option('--users <n>', 'how many send at once', Number, 4)
  .option('--turn-after <n>', 'operations after which the session continues as new', Number, 100)
  .option('--deaths <n>', 'how often a worker, and Temporal, is killed', Number, 3)
  .parse()
  .opts()

const { commands, users, turnAfter, deaths } = options
const at = (offset: number): number[] =>
  Array.from({ length: deaths }, (_, n) => Math.floor((commands * (n + offset)) / deaths))
const world = await startWorld((line) => process.stderr.write(`${line}\n`))
try {
  const plan = { commands, users, turnAfter, killWorkerAt: at(0.3), killTemporalAt: at(0.7) }
  const verdict = await sessionChaos(world, plan)
  process.stdout.write(`${JSON.stringify(verdict)}\n`)
  process.exitCode = [verdict.lost, verdict.twice, verdict.failed].every(({ length }) => length === 0) ? 0 : 1
} finally {
  await world.stop()
}
