// Runs a TypeScript program of ours: node bin/run.mjs src/local-sandbox/main.ts ARGS
import { built } from './built.mjs'

const [entry] = process.argv.splice(2, 1)
process.setSourceMapsEnabled(true)
await import(await built(entry))
