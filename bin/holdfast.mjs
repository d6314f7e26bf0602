#!/usr/bin/env node
import { run } from './built.mjs'

await run('src/cli.ts')
