import { main } from './cli/main.ts'

process.exitCode = await main(process.argv.slice(2))
// A connection that is still being tried must not keep the process; what was written has to be out before the end.
process.stdout.write('', () => process.stderr.write('', () => process.exit()))
