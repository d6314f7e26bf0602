#!/usr/bin/env node
import { built } from './built.mjs'

process.setSourceMapsEnabled(true)
await import(await built('src/cli.ts'))
