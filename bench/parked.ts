import { parseArgs } from 'node:util'
import { parkJobs } from '../test/support/parked-jobs.ts'

// How many jobs wait on one worker, and what each costs meanwhile.
// npm run bench -- parked [--jobs 100] [--cached 1000] [--before-sandbox]
// Each has a paused sandbox, of which the local server keeps the memory, some 60 MB; with --before-sandbox it has none yet.

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '100' },
    cached: { type: 'string', default: '1000' },
    'before-sandbox': { type: 'boolean', default: false },
  },
})

const figures = await parkJobs({
  jobs: Number(values.jobs),
  cached: Number(values.cached),
  beforeSandbox: values['before-sandbox'],
  onProgress: (line) => console.error(line),
})
console.table(figures)
