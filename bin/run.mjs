// Runs a TypeScript program of ours: node bin/run.mjs src/local-sandbox/main.ts ARGS
import { run } from './built.mjs'

const [entry] = process.argv.splice(2, 1)
await run(entry)
