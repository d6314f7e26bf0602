#!/usr/bin/env node
import { register } from 'tsx/esm/api'

// The project runs from its TypeScript sources: there is no build to keep in step.
register()
await import('../src/cli.ts')
